// The right to fill a key: the zone's fill lock, among the requests of this nginx, and the store's lease, among the machines that
// share the store. It is claimed in the precontent phase, by the lookup, and belongs to the fill from then on.
#pragma once

#include <memory>

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The zone's lock ends by itself after so long. It normally ends with its fill, or, if its worker dies, when the next worker starts.
inline constexpr std::int64_t fill_lease_ms = 60'000;
// How long a key whose answers can't be stored goes straight to the backend, in full and without waiting for others.
inline constexpr std::int64_t pass_ms = 60'000;

// The right itself. Whoever owns it fills; its end lets others fill, here and on other machines.
class FillPermit {
public:
    FillPermit() = default;  // none
    FillPermit(FillPermit&& other) noexcept { swap(other); }
    FillPermit& operator=(FillPermit&& other) noexcept;
    ~FillPermit() { abandon(); }

    // Claims the zone's lock of the key. `mine`: `permit` has it now.
    static near_cache::Fill claim(const Key& key, FillPermit& permit);
    // The store has given us its lease, too.
    void add_lease(const StoreConf& store) { leased_from_ = &store; }

    bool is_held() const { return held_; }
    const Key& key() const { return key_; }

    // Gives the right up without a result. Nothing happens if it is not held.
    void abandon() noexcept;
    // Zone::insert() or Zone::pass() has ended the zone's lock: only the lease has to be given back.
    void lock_ended();
    // The same, and tells the other machines that the key's answers can't be stored.
    void lock_ended_with_pass();

private:
    void swap(FillPermit& other) noexcept;

    Key key_;
    const StoreConf* leased_from_ = nullptr;
    bool held_ = false;
};

// A claim that has the zone's lock, and asks the store for its lease.
struct FillClaim {
    enum class Lease : std::uint8_t { not_asked, ours, refused, passes, not_needed };

    FillPermit permit;
    Lease lease = Lease::not_asked;
    std::uint16_t news = 0;   // what the near cache had been told of the key when the lease was asked for
    ngx_msec_t again_ms = 0;  // refused: when to ask again; passes: how long that holds
};

// Whether the fill may begin, as far as other machines are concerned. wait: the request has to be suspended, and will be resumed;
// pass: the key's answers can't be stored, and the claim has ended. Precondition: ctx->claim.
near_cache::Fill may_fill(Ctx* ctx);

}  // namespace larder::ngx
