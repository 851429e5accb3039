// Builds entries from answers, and puts them into the near cache and the store.
#include "ngx_module/request/store_answer.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "cache/request/variant.hpp"
#include "edge_includes/plan/plan.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/request/answer_compiler.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/group.hpp"
#include "ngx_module/request/render_call.hpp"
#include "ngx_module/stores/stores.hpp"
#include "ngx_module/stores/topics/entries.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

// Nothing of this answer is stored; ctx->detail says why. Marks the key as a pass.
void end_with_pass(Ctx* ctx) {
    if (Renewal* renewal = ctx->renewal())
        renewal->report = {RenderResult::unstorable, ctx->fill->status, 0, {}, ctx->detail.text()};
    wake_workers(zone().pass(ctx->key, now_ms(), pass_ms));
    ctx->fill->permit.lock_ended_with_pass();
}

// A purge that came while the page was made: the answer may show the state before the purge.
bool was_purged_meanwhile(const Ctx* ctx) {
    const Fill& fill = *ctx->fill;
    unsigned domain = ctx->conf->where.value().domain();
    if (zone().last_purge(domain) <= fill.fence) return false;
    auto hashes = purge_hashes(view(ctx->variant), fill.decision.tags);
    return zone().purge_since(domain, fill.fence, hashes).mode != PurgeMode::none;
}

namespace {

std::shared_ptr<Renewal> waiting_renewal(const Ctx* ctx) {
    return ctx->renewing != nullptr ? ctx->renewing->renewal : nullptr;
}

// Completes `parts` with what the fill knows, stores the entry and ends the fill lock. `renewal`: is told the
// outcome; may be null. Returns the entry without its body.
std::string store(Ctx* ctx, EntryParts& parts, std::shared_ptr<Renewal> renewal) {
    Fill& fill = *ctx->fill;
    parts.render_ms =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(now_ms() - fill.request_ms, 0, 0xffffffff));
    parts.created_ms = fill.request_ms;
    parts.fence = fill.fence;
    if (renewal != nullptr && renewal->as_visitor) parts.made_for = MadeFor::anybody;
    if (ctx->asked_group() != nullptr) bind_to_session(*ctx->asked_group(), parts);
    std::string prefix = entry_prefix(parts);
    const Where& where = ctx->conf->where.value();
    auto put = [&](std::function<void(bool)> handler) {
        if (renewal != nullptr) {
            RenderReport& report = renewal->report;
            bool is_here_alone = where.store == nullptr || is_available(*where.store);
            report = {is_here_alone ? RenderResult::near : RenderResult::failed, 0, 0, ctx->key.text(),
                      is_here_alone ? "the page is too large for the store, or nginx uses none" : "nginx does not reach the store"};
            handler = [handler = std::move(handler), renewal](bool stored) {
                RenderReport& end = renewal->report;
                end.result = stored ? RenderResult::stored : RenderResult::failed;
                if (!stored) end.detail = "the store did not take the page";
                handler(stored);
            };
        }
        return where.store != nullptr && !ctx->near_only &&
               put_entry(*where.store, ctx->key, prefix, parts.body, ctx->policy(), std::move(handler));
    };
    if (ctx->uses_near()) {
        wake_workers(zone().insert(ctx->key, where.domain(), prefix, parts.body, now_ms(), &fill.stored));
        fill.stored = put([](bool) {}) || fill.stored;
    } else {  // waiters look in the store, so wake them once the entry is there
        zone().postpone_refresh(ctx->key, 0);
        fill.stored = put([permit = std::make_shared<FillPermit>(std::move(fill.permit))](bool) { permit->abandon(); });
    }
    fill.permit.lock_ended();
    count(near_cache::Counter::stored);
    return prefix;
}

// Stores the named parts of the page (<esi:inline>) under variants of their own, with their plans.
void store_named_parts(Ctx* ctx, const EntryParts& page, const std::vector<std::string>& plans) {
    esi::PlanView plan = esi::PlanView::trusted(page.plan);
    const Where& where = ctx->conf->where.value();
    for (std::uint32_t i = 0; i < plan.inline_count(); i++) {
        esi::Inline named = plan.inline_fragment(i);
        std::string variant = part_variant(page.variant, named.name);
        if (variant.empty()) continue;
        std::string_view body = page.body.substr(named.offset, named.length);
        EntryParts part = part_of(page, variant, plans[i], body, named.fetchable);
        std::string prefix = entry_prefix(part);
        Key key = key_of(variant);
        if (ctx->uses_near()) wake_workers(zone().insert(key, where.domain(), prefix, body, now_ms()));
        if (where.store != nullptr && !ctx->near_only)
            put_entry(*where.store, key, prefix, body, ctx->policy(), [](bool) {});
    }
}

}  // namespace

void store_answer(Ctx* ctx) {
    Fill& fill = *ctx->fill;
    EntryParts parts;
    parts.status = fill.status;
    parts.life = fill.decision.life;
    parts.variant = view(ctx->variant);
    parts.tags = fill.decision.tags;
    parts.headers = fill.decision.headers;
    parts.steering = fill.decision.steering;
    parts.vary = fill.decision.vary;
    parts.audience = fill.decision.audience;
    if (fill.compiler != nullptr) parts.plan = fill.compiler->plan();
    parts.body = fill.body;
    store(ctx, parts, waiting_renewal(ctx));
    if (!parts.plan.empty()) store_named_parts(ctx, parts, fill.compiler->part_plans());
}

// Stores a marker: answers under this key vary on these further headers.
void store_marker(Ctx* ctx, const std::vector<std::string>& names) {
    constexpr std::int64_t day_ms = 86'400'000;  // nothing else is known about this URL's lifetime
    EntryParts marker;
    marker.kind = EntryKind::marker;
    marker.variant = view(ctx->variant);
    marker.vary = names;
    marker.tags = ctx->fill->decision.tags;
    marker.life = {now_ms(), day_ms, day_ms, 0, 0};  // stale windows: a soft purge is about pages, so it leaves a marker usable
    store(ctx, marker, nullptr);  // a renewal waits for a page, not for a marker
}

void store_revalidated(ngx_http_request_t* r, Ctx* ctx, EntryParts& parts) {
    std::string bytes = store(ctx, parts, waiting_renewal(ctx));
    if (!parts.plan.empty()) {
        // The page's named parts expire with it, so store them anew. Compile them with the syntax of the page's type.
        r->headers_out.content_type = str(ctx->entry.view().header("Content-Type"));
        AnswerCompiler named(r, *ctx->conf, parts.body, std::string(parts.plan));
        named.run_to_end();
        store_named_parts(ctx, parts, named.part_plans());
    }
    bytes.append(parts.body);
    ctx->entry = AtHand(std::move(bytes), Verdict::fresh, false);
}

}  // namespace larder::ngx
