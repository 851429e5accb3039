// The lookup, in the precontent phase: near cache, store, verdict; then answer, wait, or go on to the backend.
#include "ngx_module/request/phase_lookup.hpp"

#include <utility>

#include "cache/request/variant.hpp"
#include "cache/response/fields.hpp"
#include "edge_includes/plan/plan.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/client.hpp"
#include "ngx_module/request/condition.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/group.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/permit.hpp"
#include "ngx_module/request/reduce.hpp"
#include "ngx_module/request/refresh.hpp"
#include "ngx_module/request/render_call.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/request/suspend.hpp"
#include "ngx_module/request/variant.hpp"
#include "ngx_module/stores/topics/entries.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

ngx_int_t decide(ngx_http_request_t* r, Ctx* ctx);
ngx_int_t look(ngx_http_request_t* r, Ctx* ctx);

ngx_int_t not_cached(Ctx* ctx) {
    ctx->status = Status::error;
    ctx->phase = Phase::passing;
    if (ctx->wishes.only_if_cached) ctx->detail = Reason::only_if_cached;
    return NGX_HTTP_GATEWAY_TIME_OUT;
}

void stop_deadline(Ctx* ctx) {
    if (ctx->fill_wait != nullptr) ctx->fill_wait->deadline.cancel();
}

ngx_int_t go_past(ngx_http_request_t* r, Ctx* ctx, Status status) {
    ctx->claim.reset();
    stop_deadline(ctx);
    if (ctx->cached_only()) return not_cached(ctx);
    ctx->status = status;
    // Capture the answer, even though it is not stored: a fragment's, and one that may have ESI. Also one that says
    // something about other requests: that a page is for everybody, though the visitor has a session; or that the
    // forecast for this kind of page was wrong.
    bool captured = ctx->role == Role::fragment || ctx->policy().esi != EsiMode::off || ctx->session ||
                    ctx->guess == Guess::is_not_kept;
    // A page can't be assembled from a range of its source, or from a 304.
    if (ctx->policy().esi == EsiMode::on) strip_conditions(r);
    if (captured) return start_fill(r, ctx);
    ctx->phase = Phase::passing;
    return NGX_DECLINED;
}

// The store has answered: notes that the near cache is up to date as of that question.
void confirm_check(Ctx* ctx) {
    if (ctx->check) zone().checked(ctx->key, *ctx->check, now_ms());
    ctx->check.reset();
}

void answer_from_store(Ctx* ctx, StoreAnswer answer) {
    if (answer.entry.empty()) {
        count(answer.failed ? near_cache::Counter::store_error : near_cache::Counter::store_miss);
        if (!answer.failed) confirm_check(ctx);
        resume(ctx);
        return;
    }
    const char* why = nullptr;
    auto entry = EntryView::parse(answer.entry, &why);
    if (entry && entry->variant() != view(ctx->variant)) why = "entry is another variant's";
    if (entry && !entry->plan().empty() && why == nullptr)
        esi::PlanView::parse(entry->plan(), entry->body().size(), &why);
    if (why != nullptr) {
        count(near_cache::Counter::bad_entries);
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "larder: refused what store \"%s\" holds for %s: %s",
                      ctx->conf->where.value().store->name.c_str(), ctx->key.text().c_str(), why);
        resume(ctx);
        return;
    }
    count(near_cache::Counter::store_hit);
    unsigned domain = ctx->conf->where.value().domain();
    if (ctx->uses_near()) {
        std::string_view bytes = entry->bytes();
        std::string_view body = entry->body();
        wake_workers(zone().insert(ctx->key, domain, bytes.substr(0, bytes.size() - body.size()), body,
                                   now_ms(), nullptr, true));
        confirm_check(ctx);
        ctx->entry.drop();
        near_cache::Found found = zone().find(ctx->key, now_ms());
        ctx->take(found);
    }
    if (!ctx->entry.is_held()) {
        near_cache::Zone::Judged judged = zone().judge_foreign(*entry, domain, now_ms());
        if (judged.verdict != Verdict::dead) {
            ctx->entry = AtHand(std::string(answer.entry), judged.verdict, judged.purged);
        }
    }
    resume(ctx);
}

ngx_int_t wait_for_fill(ngx_http_request_t* r, Ctx* ctx) {
    ctx->phase = Phase::looking;
    begin_waiting(ctx);
    return suspend(r, ctx, Waits::for_cache);
}

// The last attempt before the backend: the URL may be the name of a part of a page. Returns false if the part was
// looked for already, or the URL can't be one.
bool look_for_part(ngx_http_request_t* r, Ctx* ctx) {
    if (ctx->part != nullptr || ctx->policy().esi == EsiMode::off || ctx->servable()) return false;
    ctx->part = std::make_unique<NamedPart>();
    ctx->part->search = NamedPart::Search::ended;
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    std::string part = variant ? part_variant(view(ctx->variant), variant->target()) : std::string();
    if (part.empty()) return false;
    ctx->part->search = NamedPart::Search::goes_on;
    ctx->part->request_key = std::exchange(ctx->key, key_of(part));
    ctx->part->request_variant = std::exchange(ctx->variant, copy(r->pool, part));
    ctx->part->request_entry = std::move(ctx->entry);
    ctx->phase = Phase::looking;
    return true;
}

// Ends the search for a named part: there is none, or it is not for this client.
void no_part(Ctx* ctx) {
    ctx->part->search = NamedPart::Search::ended;
    ctx->key = ctx->part->request_key;
    ctx->variant = ctx->part->request_variant;
    ctx->entry = std::move(ctx->part->request_entry);
}

// Whether pages of this kind have proved unstorable lately. Not predicted if anything is known of this page itself.
bool will_not_be_kept(ngx_http_request_t* r, Ctx* ctx) {
    if (ctx->guess != Guess::none || !ctx->entry.empty() || ctx->asked_group() != nullptr) return false;
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    if (!variant) return false;
    std::string place(view(core_location(r)->name));
    if (ctx->authorized) place += " with credentials";
    ctx->kinds = near_cache::kinds_of(variant->host, variant->path, variant->query, place);
    bool passes = forecast().passes(ctx->kinds, ctx->key);
    ctx->guess = passes ? Guess::is_not_kept : Guess::is_kept;
    return passes;
}

ngx_int_t miss(ngx_http_request_t* r, Ctx* ctx) {
    if (ctx->looks_for_part()) {
        no_part(ctx);
    } else if (look_for_part(r, ctx)) {
        return look(r, ctx);
    }
    if (ctx->cached_only()) return not_cached(ctx);
    // No page is known to be shared with this visitor, who has a session: pass the request at once.
    if (ctx->session && ctx->entry.empty()) {
        ctx->detail = Reason::session;
        return go_past(r, ctx, Status::pass);
    }
    // An answer to HEAD has no body to store. Nor has that of a subrequest of which nginx wants the status alone
    // (auth_request, mirror).
    if (r->method == NGX_HTTP_HEAD || r->header_only) {
        ctx->status = Status::miss;
        return ctx->policy().esi != EsiMode::off && r == r->main ? start_fill(r, ctx) : NGX_DECLINED;
    }
    if (ctx->varied != Varied::no && !zone().admit_variant(ctx->base, ctx->key, now_ms(), most_variants(ctx))) {
        ctx->detail = Reason::vary_limit;
        return go_past(r, ctx, Status::pass);
    }
    if (will_not_be_kept(r, ctx)) {
        ctx->detail = Reason::forecast;
        return go_past(r, ctx, Status::pass);
    }
    bool deadline_passed = ctx->fill_wait != nullptr && !ctx->fill_wait->deadline.timer_runs();
    if (deadline_passed) ctx->detail = Reason::lock_timeout;
    // A page without any freshness has to be validated for each request, so another request's answer would not do.
    bool each_asks =
        ctx->entry.verdict == Verdict::validate && ctx->entry.view().head().life.fresh_ms == 0;
    // A fill with credentials that the site refuses gives no page. Whoever waited for one asks next, without waiting
    // again.
    bool waited_once = ctx->authorized && ctx->fill_wait != nullptr;
    if (waited_once) stop_deadline(ctx);
    if (ctx->conf->lock.value() != 0 && !deadline_passed && !waited_once && !each_asks && ctx->no_store == Reason::none) {
        if (ctx->claim == nullptr) {
            auto claim = std::make_unique<FillClaim>();
            switch (FillPermit::claim(ctx->key, claim->permit)) {
                case near_cache::Fill::wait:
                    return wait_for_fill(r, ctx);
                case near_cache::Fill::pass:
                    return go_past(r, ctx, Status::pass);
                case near_cache::Fill::mine:
                    ctx->claim = std::move(claim);
            }
        }
        near_cache::Fill fill = may_fill(ctx);
        if (fill == near_cache::Fill::wait) return suspend(r, ctx, Waits::for_cache);
        if (fill == near_cache::Fill::pass) return go_past(r, ctx, Status::pass);
        stop_deadline(ctx);
    }
    ctx->status = Status::miss;
    ngx_int_t rc = start_fill(r, ctx);
    if (ctx->claim != nullptr) ctx->fill->permit = std::move(ctx->claim->permit);
    ctx->claim.reset();
    return rc;
}

ngx_int_t look(ngx_http_request_t* r, Ctx* ctx) {
    const Where& where = ctx->conf->where.value();
    bool check_store = true;
    // A request that waited for a fill looks again, even if it holds an entry to serve in case of failure.
    if ((!ctx->servable() || ctx->fill_wait != nullptr) && ctx->uses_near()) {
        // Fragments take the stored template, so that the page knows its parts. Visitors with a session take it too,
        // as the assembled page holds fragments made for visitors without one.
        bool assembled = ctx->role == Role::client && r == r->main && !ctx->session;
        near_cache::Found found = zone().find(ctx->key, now_ms(), assembled);
        if (found.hold != 0 || ctx->entry.is_held()) ctx->take(found);
        ctx->check = found.check_store ? std::optional(found.check) : std::nullopt;
        if (found.pass && !ctx->servable()) {
            if (!look_for_part(r, ctx)) return go_past(r, ctx, Status::pass);
            ctx->part->request_passes = true;
            return look(r, ctx);
        }
        // If the request's own key is a pass, ask the store for the part only when the near cache has one that may
        // have changed. Otherwise each such request would ask it.
        bool passes = ctx->part != nullptr && ctx->part->request_passes;
        check_store = (!ctx->servable() && !passes) || found.check_store;
    }
    bool in_store = where.store != nullptr && !ctx->near_only && !ctx->at_hand_only();
    bool asks = in_store && check_store && ctx->phase != Phase::store_asked;
    if (asks && ask_store(ctx)) return suspend(r, ctx, Waits::for_cache);
    return decide(r, ctx);
}

// The request headers, beyond its variant, that the entry at hand varies on.
std::vector<std::string> varies_on(const Ctx* ctx) {
    std::vector<std::string> names;
    if (ctx->entry.empty() || ctx->entry.view().head().vary_size == 0) return names;
    ctx->entry.view().each_vary([&names](std::string_view name) { names.emplace_back(name); });
    return names;
}

// The entry varies on headers beyond its variant. If this request sends one of them, extends the variant by them,
// drops the entry and returns true: look again, by the new key.
bool is_anothers(ngx_http_request_t* r, Ctx* ctx, const std::vector<std::string>& names) {
    bool marker = ctx->entry.view().kind() == EntryKind::marker;
    if (extend_variant(r, ctx, names)) {
        ctx->entry.drop();
        ctx->phase = Phase::looking;
        return true;
    }
    if (marker) ctx->entry.drop();  // a request that sends none of these headers has no entry yet
    return false;
}

void apply_wishes(ngx_http_request_t* r, Ctx* ctx) {
    if (ctx->entry.empty()) return;
    const EntryHead head = ctx->entry.view().head();
    Verdict verdict = as_client_wants(
        ctx->entry.verdict, ctx->wishes, head.life, head.created_ms,
        r->start_sec * std::int64_t{1000} + static_cast<std::int64_t>(r->start_msec), now_ms());
    ctx->wants_newer = ctx->wants_newer || (ctx->entry.verdict == Verdict::fresh && verdict != Verdict::fresh);
    ctx->entry.verdict = verdict;
}

ngx_int_t decide(ngx_http_request_t* r, Ctx* ctx) {
    std::vector<std::string> names = varies_on(ctx);
    if (ctx->conf->vary_most.value() == 0 && sends_one_of(r, ctx, names)) {  // variants by header are not kept
        ctx->detail = varies_detail(r, names);
        ctx->entry.drop();
        return go_past(r, ctx, Status::pass);
    }
    if (!names.empty() && is_anothers(r, ctx, names)) {
        ctx->claim.reset();
        return look(r, ctx);
    }
    if (!is_for_visitor(ctx)) ctx->entry.drop();
    if (ctx->wishes.judges()) apply_wishes(r, ctx);
    bool hidden = ctx->looks_for_part() && !ctx->entry.empty() && ctx->role == Role::client &&
                  ctx->entry.view().kind() != EntryKind::open_part;
    if (!ctx->entry.empty() && !hidden) {
        if (ctx->entry.verdict == Verdict::fresh || ctx->entry.verdict == Verdict::stale_while) {
            ctx->claim.reset();
            stop_deadline(ctx);
        }
        if (ctx->entry.verdict == Verdict::fresh)
            return serve_entry(r, ctx, ctx->fill_wait != nullptr ? Status::coalesced : Status::hit);
        if (ctx->entry.verdict == Verdict::stale_while && (ctx->looks_for_part() || !is_to_be_made_by_visitor(ctx))) {
            if (!ctx->looks_for_part()) request_refresh(r, ctx);  // a part is renewed with its page
            return serve_entry(r, ctx, Status::stale);
        }
    }
    return miss(r, ctx);
}

// A request that went to the backend runs through the phases again after an internal redirect (try_files, error_page,
// X-Accel-Redirect).
ngx_int_t again(ngx_http_request_t* r, Ctx* ctx) {
    ctx->on_client_read = nullptr;
    if (ctx->fill == nullptr) return NGX_DECLINED;
    bool reduced = ctx->fill->is_reduced();
    if (!is_fills_answer(r, *ctx->fill)) {
        restore_request(r, ctx);
        if (reduced && is_for_failure(r, *ctx->fill) && ctx->servable() && ctx->role != Role::refresh) {
            retire_fill(ctx);
            r->err_status = 0;
            return serve_entry(r, ctx, Status::error_stale);
        }
        ctx->status = Status::pass;
        ctx->detail = Reason::error_page;
        if (ctx->role == Role::client)
            retire_fill(ctx);
        else
            ctx->fill->permit.abandon();
    } else if (reduced && !loc_conf(r)->enabled()) {  // the redirect's target is not cached
        restore_request(r, ctx);
        ctx->fill->permit.abandon();
        ctx->status = Status::pass;
        ctx->detail = Reason::larder_off;
    } else if (reduced) {
        look_away_from_client(r, ctx);
    }
    return NGX_DECLINED;
}

void read_wishes(ngx_http_request_t* r, Ctx* ctx) {
    const auto& rule = ctx->conf->request_control.value();
    if (rule.honoured == 0 || ctx->role != Role::client || r != r->main) return;
    if (rule.condition && !is_true(r, *rule.condition)) return;
    each_request_header(r->headers_in, [&](const ngx_table_elt_t& header) {
        if (equals_ignore_case(view(header.key), "Cache-Control"))
            add_request_control(view(header.value), rule.honoured, ctx->wishes);
        return true;
    });
    if (ctx->wishes.no_store) ctx->no_store = Reason::request_no_store;
}

ngx_int_t begin(ngx_http_request_t* r, Ctx* ctx) {
    if (!ctx->conf->enabled()) return go_past(r, ctx, Status::pass);
    if (!build_variant(r, ctx)) return go_past(r, ctx, Status::bypass);
    if (any_true(r, ctx->conf->bypass.value())) {
        ctx->detail = Reason::by_bypass;
        return go_past(r, ctx, Status::bypass);
    }
    bool holds_group = ctx->group != nullptr;
    if (!find_group(r, ctx)) return suspend(r, ctx, Waits::for_group);
    if (ctx->group != nullptr && ctx->group->state == Group::State::failed) {
        ctx->detail = Reason::group_failed;
        return go_past(r, ctx, Status::bypass);
    }
    if (ctx->group != nullptr && !holds_group && !build_variant(r, ctx))
        return go_past(r, ctx, Status::bypass);
    ctx->phase = Phase::looking;
    read_wishes(r, ctx);
    return look(r, ctx);
}

// Determines which page a refresh is to make. False: none; the reason is noted in its report.
bool find_own_page(ngx_http_request_t* r, Ctx* ctx) {
    if (ctx->renewal() == nullptr || !ctx->renewal()->as_visitor) return is_at_its_place(r, ctx);
    ctx->conf = loc_conf(r);
    if (!ctx->conf->enabled()) {
        note_misled(r, ctx);
        return false;
    }
    if (build_variant(r, ctx)) {
        ctx->renewing->cookies = backend_cookies(r, ctx);
        return true;
    }
    ctx->renewal()->report.detail = ctx->detail.text();
    return false;
}

// Lookup of a refresh. An entry at hand is revalidated, or kept when the backend fails.
ngx_int_t renew(ngx_http_request_t* r, Ctx* ctx) {
    // Not cached here, and no content handler: try_files or a static file may lead on to the page's location, as it
    // does for visitors.
    if (ctx->phase == Phase::entering) {
        if (!loc_conf(r)->enabled() && r->content_handler == nullptr) return NGX_DECLINED;
        if (!find_own_page(r, ctx)) return NGX_ERROR;
        ctx->phase = Phase::looking;
    }
    const StoreConf* store = ctx->conf->where.value().store;
    if (ctx->entry.empty()) ctx->take(zone().find(ctx->key, now_ms()));
    bool ask = ctx->entry.empty() && store != nullptr && !ctx->near_only && ctx->phase != Phase::store_asked;
    if (ask && ask_store(ctx)) return suspend(r, ctx, Waits::for_cache);
    ctx->status = Status::miss;
    return start_fill(r, ctx);
}

// Applies the include's ttl to the policy of the fragment's location.
void apply_include(Ctx* ctx) {
    auto ttl_s = ctx->include() != nullptr ? ctx->include()->ttl_s() : std::nullopt;
    if (!ttl_s) return;
    ctx->own_policy = std::make_unique<Policy>(ctx->conf->policy);
    Policy& policy = *ctx->own_policy;
    if (policy.valid.size() == max_valid_rules) policy.valid.pop_back();
    policy.valid.insert(policy.valid.begin(), ValidRule{0, *ttl_s});
}

ngx_int_t lookup(ngx_http_request_t* r) {
    Ctx* ctx = ctx_of(r);
    if (ctx == nullptr) {
        LocConf* conf = loc_conf(r);
        if (!conf->where.value().trust) strip_larder_request_headers(r);
        if (!conf->enabled()) return NGX_DECLINED;
        ctx = new_ctx(r, conf, Role::client);
        return begin(r, ctx);
    }
    if (ctx->waits != Waits::for_nothing) return NGX_AGAIN;  // nginx ran the phases for an event of its own
    if (ctx->phase == Phase::passing || ctx->phase == Phase::filling || ctx->phase == Phase::serving) return again(r, ctx);
    if (ctx->role == Role::refresh) return renew(r, ctx);
    if (ctx->conf == nullptr) {  // a fragment that has just reached its location
        if (!ctx->at_hand_only() && turn_is_over()) {  // no later turn for what must be at hand now
            TurnPlace& place = ctx->turn_place();
            place.bind<&Ctx::begin_in_turn>(ctx, r->connection->log);
            place.enter();
            return suspend(r, ctx, Waits::for_cache);
        }
        ctx->conf = loc_conf(r);
        if (ctx->asked_group() != nullptr) apply_group(ctx);
        apply_include(ctx);
        return begin(r, ctx);
    }
    return ctx->phase == Phase::entering ? begin(r, ctx) : look(r, ctx);
}

}  // namespace

bool is_for_visitor(const Ctx* ctx) {
    return !ctx->session || (!ctx->entry.empty() && ctx->entry.view().is_everybodys());
}

bool ask_store(Ctx* ctx) {
    ctx->phase = Phase::store_asked;
    const StoreConf* store = ctx->conf->where.value().store;
    bool asked = get_entry(*store, ctx->key, [ctx, alive = ctx->alive()](StoreAnswer answer) {
        if (*alive) answer_from_store(ctx, answer);
    });
    if (!asked) count(near_cache::Counter::store_skipped);
    return asked;
}

ngx_int_t lookup_handler(ngx_http_request_t* r) {
    // Whatever fails in here, the request goes on to the site without a cache.
    return guarded(r->connection->log, "lookup", static_cast<ngx_int_t>(NGX_DECLINED),
                   [r] { return lookup(r); });
}

}  // namespace larder::ngx
