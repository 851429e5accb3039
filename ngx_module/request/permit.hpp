// The right to fill a key. It consists of the zone's fill lock, among the requests of this nginx, and of the store's
// lease, among the machines that share the store. The lookup claims it in the precontent phase; the fill owns it from
// then on.
#pragma once

#include <memory>

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The zone's lock expires after this time. It normally ends with its fill; if its worker dies, when the next worker
// starts.
inline constexpr std::int64_t fill_lease_ms = 60'000;
// How long requests for an unstorable key go straight to the backend, in full and without waiting for each other.
inline constexpr std::int64_t pass_ms = 60'000;

// The right itself. Its owner fills; its destruction lets others fill, here and on other machines.
class FillPermit {
public:
    FillPermit() = default;  // not held
    FillPermit(FillPermit&& other) noexcept { swap(other); }
    FillPermit& operator=(FillPermit&& other) noexcept;
    ~FillPermit() { abandon(); }

    // Claims the zone's lock of the key. If the result is `mine`, `permit` holds it.
    static near_cache::Fill claim(const Key& key, FillPermit& permit);
    // Notes that the store has granted its lease as well.
    void add_lease(const StoreConf& store) { leased_from_ = &store; }

    bool is_held() const { return held_; }
    const Key& key() const { return key_; }

    // Gives up the right without a result. Does nothing if it is not held.
    void abandon() noexcept;
    // For use after Zone::insert() or Zone::pass(), which end the zone's lock: gives back only the lease.
    void lock_ended();
    // The same, and tells the other machines that the key's answers can't be stored.
    void lock_ended_with_pass();

private:
    void swap(FillPermit& other) noexcept;

    Key key_;
    const StoreConf* leased_from_ = nullptr;
    bool held_ = false;
};

// A request that holds the zone's lock and asks the store for its lease.
struct FillClaim {
    enum class Lease : std::uint8_t { not_asked, ours, refused, passes, not_needed };

    FillPermit permit;
    Lease lease = Lease::not_asked;
    std::uint16_t news = 0;   // zone().news() of the key when the lease was asked for
    ngx_msec_t again_ms = 0;  // refused: when to ask again; passes: how long the pass lasts
};

// Whether the fill may begin, as far as other machines are concerned. mine: begin. wait: suspend the request; it will
// be resumed. pass: the key's answers can't be stored, and the claim has ended. Precondition: ctx->claim.
near_cache::Fill may_fill(Ctx* ctx);

}  // namespace larder::ngx
