// One fill among all machines that share a store: the request that holds this nginx's fill lock also claims the
// store's lease.
//
// The claim of the lease and a read of the entry are sent in one write, in this order. So whoever is granted the
// lease after another machine stored the page finds that page. A machine that is refused waits for the store's news
// of the key. Each wait ends with the lease at the latest, and all waits of a request together with larder_lock. If
// the machine that has the lease dies, the others wait until the lease runs out.
#include "ngx_module/request/permit.hpp"

#include <utility>

#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/phase_lookup.hpp"
#include "ngx_module/request/suspend.hpp"
#include "ngx_module/stores/topics/leases.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

near_cache::Fill FillPermit::claim(const Key& key, FillPermit& permit) {
    near_cache::Fill claimed = zone().claim_fill(key, static_cast<unsigned>(ngx_worker), now_ms(), fill_lease_ms);
    if (claimed != near_cache::Fill::mine) return claimed;
    permit = FillPermit();
    permit.key_ = key;
    permit.held_ = true;
    return claimed;
}

FillPermit& FillPermit::operator=(FillPermit&& other) noexcept {
    if (this == &other) return *this;
    abandon();
    swap(other);
    return *this;
}

void FillPermit::swap(FillPermit& other) noexcept {
    std::swap(key_, other.key_);
    std::swap(leased_from_, other.leased_from_);
    std::swap(held_, other.held_);
}

void FillPermit::abandon() noexcept {
    if (!held_) return;
    guarded(ngx_cycle->log, "end of a fill", 0, [this] {
        wake_workers(zone().abandon(key_));
        lock_ended();
        return 0;
    });
}

void FillPermit::lock_ended() {
    held_ = false;
    if (const StoreConf* store = std::exchange(leased_from_, nullptr)) release_lease(*store, key_);
}

void FillPermit::lock_ended_with_pass() {
    held_ = false;
    if (const StoreConf* store = std::exchange(leased_from_, nullptr)) pass_lease(*store, key_, pass_ms);
}

namespace {

void take_answer(FillClaim& claim, const StoreConf& store, const LeaseAnswer& answer) {
    using Lease = FillClaim::Lease;
    claim.lease = answer.passes    ? Lease::passes
                  : answer.refused ? Lease::refused
                  : answer.ours    ? Lease::ours
                                   : Lease::not_needed;
    claim.again_ms = answer.again_ms;
    if (claim.lease == Lease::ours) claim.permit.add_lease(store);
}

// Claims the lease and reads the entry; the entry's arrival resumes the request. False: no lease is needed, or the
// store can't be asked.
bool ask_for_lease(Ctx* ctx) {
    FillClaim& claim = *ctx->claim;
    const LocConf& conf = *ctx->conf;
    const StoreConf* store = conf.where.value().store;
    bool wanted = store != nullptr && !ctx->near_only && conf.lock_store.value();
    auto answered = [ctx, store, key = ctx->key, alive = ctx->alive()](const LeaseAnswer& answer) {
        bool still_claims = *alive && ctx->claim != nullptr && ctx->claim->permit.key() == key;
        if (still_claims) return take_answer(*ctx->claim, *store, answer);
        if (answer.ours) release_lease(*store, key);
    };
    if (wanted) claim.news = zone().news(ctx->key);
    if (wanted && claim_lease(*store, ctx->key, conf.lock.value(), answered)) return ask_store(ctx);
    claim.lease = FillClaim::Lease::not_needed;
    return false;
}

}  // namespace

near_cache::Fill may_fill(Ctx* ctx) {
    using Lease = FillClaim::Lease;
    FillClaim& claim = *ctx->claim;
    if (ctx->fill_wait != nullptr) ctx->fill_wait->again.cancel();
    if (claim.lease == Lease::ours || claim.lease == Lease::not_needed) return near_cache::Fill::mine;
    Lease lease = std::exchange(claim.lease, Lease::not_asked);
    if (lease == Lease::passes) {
        claim.permit.lock_ended();
        wake_workers(zone().pass(ctx->key, now_ms(), static_cast<std::int64_t>(claim.again_ms)));
        ctx->claim.reset();
        return near_cache::Fill::pass;
    }
    if (lease == Lease::refused && zone().await_news(ctx->key, static_cast<unsigned>(ngx_worker), claim.news)) {
        begin_waiting(ctx);
        ctx->fill_wait->again.start_timer(claim.again_ms);
        return near_cache::Fill::wait;
    }
    return ask_for_lease(ctx) ? near_cache::Fill::wait : near_cache::Fill::mine;
}

}  // namespace larder::ngx
