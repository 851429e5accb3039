// One fill among all machines that share a store: who holds the fill lock here also claims the store's lease.
//
// The claim and a look into the store leave in one write, in this order: whoever gets the lease after another's page was
// stored finds that page. Whoever does not get it waits for news of the key from the store, but not longer than the lease
// lasts, and in all not longer than larder_lock. A machine that dies is waited for until its lease ends.
#include "ngx_module/request/lease.hpp"

#include <utility>

#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/phase_lookup.hpp"
#include "ngx_module/request/suspend.hpp"
#include "ngx_module/stores/stores.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

void take_answer(Ctx* ctx, const LeaseAnswer& answer) {
    ctx->lease = answer.passes    ? Lease::passes
                 : answer.refused ? Lease::refused
                 : answer.ours    ? Lease::ours
                                  : Lease::not_needed;
    ctx->lease_again_ms = answer.again_ms;
}

// The store's answer to the look resumes the request. False: nothing was asked.
bool claim(Ctx* ctx) {
    const LocConf& conf = *ctx->conf;
    const StoreConf* store = conf.where.value().store;
    bool wanted = store != nullptr && !ctx->near_only && conf.lock_store.value();
    auto answered = [ctx, store, key = ctx->key, alive = ctx->alive](const LeaseAnswer& answer) {
        if (*alive) return take_answer(ctx, answer);
        if (answer.ours) release_lease(*store, key);
    };
    if (wanted) ctx->news = zone().news(ctx->key);
    if (wanted && claim_lease(*store, ctx->key, conf.lock.value(), answered)) return ask_store(ctx);
    ctx->lease = Lease::not_needed;
    return false;
}

void wait_for_news(Ctx* ctx) {
    begin_waiting(ctx);
    ctx->fill_wait->again.start_timer(ctx->lease_again_ms);
}

}  // namespace

near_cache::Fill may_fill(Ctx* ctx) {
    if (ctx->fill_wait != nullptr) ctx->fill_wait->again.cancel();
    if (ctx->lease == Lease::ours || ctx->lease == Lease::not_needed) return near_cache::Fill::mine;
    Lease lease = std::exchange(ctx->lease, Lease::not_asked);
    if (lease == Lease::passes) {
        ctx->claimed.reset();
        wake_workers(zone().pass(ctx->key, now_ms(), static_cast<std::int64_t>(ctx->lease_again_ms)));
        return near_cache::Fill::pass;
    }
    if (lease == Lease::refused && zone().await_news(ctx->key, static_cast<unsigned>(ngx_worker), ctx->news)) {
        wait_for_news(ctx);
        return near_cache::Fill::wait;
    }
    return claim(ctx) ? near_cache::Fill::wait : near_cache::Fill::mine;
}

void unclaim(Ctx* ctx) {
    auto key = std::exchange(ctx->claimed, std::nullopt);
    if (!key) return;
    wake_workers(zone().abandon(*key));
    end_lease(ctx, *key);
}

void end_lease(Ctx* ctx, const Key& key) {
    if (std::exchange(ctx->lease, Lease::not_asked) == Lease::ours)
        release_lease(*ctx->conf->where.value().store, key);
}

void end_lease_with_pass(Ctx* ctx, const Key& key) {
    if (std::exchange(ctx->lease, Lease::not_asked) == Lease::ours)
        pass_lease(*ctx->conf->where.value().store, key, pass_ms);
}

}  // namespace larder::ngx
