// How a fill begins, and what is decided by the header of its answer: what the body is captured for, whether to ask
// the backend again, and what the client gets.
#include "ngx_module/request/fill.hpp"

#include <algorithm>
#include <utility>

#include "cache/request/coding.hpp"
#include "cache/response/fields.hpp"
#include "cache/response/revalidate.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/backend_answer.hpp"
#include "ngx_module/request/capture.hpp"
#include "ngx_module/request/client.hpp"
#include "ngx_module/request/condition.hpp"
#include "ngx_module/request/fall_back.hpp"
#include "ngx_module/request/filters.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/page_header.hpp"
#include "ngx_module/request/permit.hpp"
#include "ngx_module/request/phase_lookup.hpp"
#include "ngx_module/request/reduce.hpp"
#include "ngx_module/request/refresh.hpp"
#include "ngx_module/request/render_call.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/request/store_answer.hpp"
#include "ngx_module/request/variant.hpp"
#include "ngx_module/stores/topics/entries.hpp"
#include "ngx_module/stores/topics/purges.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// Notes where r stands now, as the place from which the fill asks.
void note_place(ngx_http_request_t* r, Fill& fill) {
    fill.uri_changes = r->uri_changes;
    fill.upstream = r->upstream;
    fill.location = core_location(r);
}

void begin_fill(ngx_http_request_t* r, Ctx* ctx) {
    ctx->fill = std::make_unique<Fill>();
    ctx->fill->request_ms = now_ms();
    ctx->phase = Phase::filling;
    note_place(r, *ctx->fill);
}

ngx_int_t ask_again(ngx_http_request_t* r) {
    clear_response_headers(r);
    r->main->count++;
    ngx_http_finalize_request(r, r->content_handler(r));
    return NGX_ERROR;  // the upstream that was replaced finds the request finalized already
}

// The answer can't be shared, and the backend did not see the whole request: ask again with the whole request. Where
// not_stored() has marked the key as a pass, this happens once per pass_ms at most.
ngx_int_t retry_in_full(ngx_http_request_t* r, Ctx* ctx) {
    if (asker_has_left(ctx)) return NGX_ERROR;
    begin_fill(r, ctx);
    ctx->status = Status::pass;
    if (ctx->policy().esi == EsiMode::on) strip_conditions(r);
    return ask_again(r);
}

// The 304 does not match the entry at hand: ask for the full answer.
ngx_int_t retry_without_condition(ngx_http_request_t* r, Ctx* ctx) {
    FillPermit permit = std::move(ctx->fill->permit);
    ctx->entry.drop();
    start_fill(r, ctx);
    ctx->fill->permit = std::move(permit);
    return ask_again(r);
}

// Whether the content handler can be run once more, in place of an upstream that has begun to answer.
bool can_ask_again(const ngx_http_request_t* r) {
    return r->upstream != nullptr && r->content_handler != nullptr;
}

// Whether the site might have answered differently, had it seen the whole request. A Vary field says so, but its
// absence proves nothing: sites need not send it in answers that no cache may store (RFC 9110 section 12.5.5). So if
// more than User-Agent was withheld, the answer may differ. If only User-Agent was, it may differ if the site refused
// the request, set a cookie (some sites bind sessions to User-Agent), or names User-Agent in Vary.
bool could_differ(ngx_http_request_t* r, const Fill& fill) {
    if (fill.withheld == Withheld::nothing || !can_ask_again(r)) return false;
    if (fill.withheld == Withheld::more || fill.status >= NGX_HTTP_BAD_REQUEST) return true;
    bool differs = false;
    each_response_header(r, [&differs](const ngx_table_elt_t& header) {
        if (header.hash == 0) return;
        if (equals_ignore_case(view(header.key), "Set-Cookie")) differs = true;
        if (!equals_ignore_case(view(header.key), "Vary")) return;
        each_list_element(view(header.value), [&differs](std::string_view name) {
            differs = differs || name == "*" || equals_ignore_case(name, "User-Agent");
        });
    });
    return differs;
}

// Whether the whole request would get another answer than this one, which anybody may have and which is only too
// large to store: if the client asked for a range or sent a condition, or if the answer varies. Not for pages with
// ESI, of which Larder never sends ranges.
bool whole_request_matters(const ngx_http_request_t* r, const Ctx* ctx) {
    const Storability& decision = ctx->fill->decision;
    if (ctx->role != Role::client || decision.esi || !can_ask_again(r)) return false;
    const ngx_http_headers_in_t& headers = r->headers_in;
    return !decision.vary.empty() || headers.range != nullptr || headers.if_none_match != nullptr ||
           headers.if_modified_since != nullptr || headers.if_match != nullptr ||
           headers.if_unmodified_since != nullptr;
}

// Tells the forecast whether the answer could be stored. An unstorable one counts only if something was withheld,
// since only then the backend has to be asked twice.
void learn_from_reduced(const Ctx* ctx) {
    const Fill& fill = *ctx->fill;
    bool in_vain = fill.withheld != Withheld::nothing && !is_failure(ctx);
    if (ctx->guess != Guess::none && (fill.decision.store || in_vain)) forecast().learn(ctx->kinds, fill.decision.store);
}

void learn_from_full(const Ctx* ctx) {
    const Fill& fill = *ctx->fill;
    bool is_page = fill.status != NGX_HTTP_NOT_MODIFIED && fill.status != NGX_HTTP_PARTIAL_CONTENT &&
                   !is_failure(ctx);
    if (is_page) forecast().learn_from_full(ctx->kinds, ctx->key, fill.decision.store);
}

// A visitor with a session waited for this page because it was shared with everybody. It no longer is.
ngx_int_t retry_for_session(ngx_http_request_t* r, Ctx* ctx) {
    ctx->fill->permit.abandon();
    ctx->detail = Reason::session;
    return retry_in_full(r, ctx);
}

// A visitor with a session was sent in full to the backend, and the answer says that the page is shared with
// everybody. This answer was made for the visitor and is not stored; a refresh renders the page for nobody in
// particular.
void fill_for_everybody(ngx_http_request_t* r, Ctx* ctx) {
    if (r->method != NGX_HTTP_GET || is_failure(ctx)) return;
    near_cache::Found found = zone().find(ctx->key, now_ms());
    bool is_kept = found.hold != 0 && EntryView::trusted(found.entry).is_everybodys();
    zone().release(found.hold);
    if (!is_kept && !found.pass) request_refresh(r, ctx);
}

// Whether an error_page of the location replaces the status of the error ("=").
bool overwrites_status(const ngx_http_core_loc_conf_t& location) {
    if (location.error_pages == nullptr) return false;
    auto* pages = static_cast<ngx_http_err_page_t*>(location.error_pages->elts);
    return std::any_of(pages, pages + location.error_pages->nelts,
                       [](const ngx_http_err_page_t& page) { return page.overwrite >= 0; });
}

// What a render call reports, unless the answer proves good later.
RenderReport failure_report(ngx_http_request_t* r, std::int64_t rest_ms) {
    RenderReport report;
    report.status = static_cast<std::uint16_t>(r->headers_out.status);
    report.retry_after_s = static_cast<std::uint32_t>(rest_ms / 1000);
    report.detail = "status " + std::to_string(report.status) + ", or an answer that broke off";
    return report;
}

// Whether this is a fragment in a content coding that Larder can't decode: no page can be made of it.
bool is_unreadable(ngx_http_request_t* r, const Ctx* ctx, const Storability& decision) {
    bool has_body = r->headers_out.status < NGX_HTTP_SPECIAL_RESPONSE && r->headers_out.status != NGX_HTTP_NO_CONTENT;
    return ctx->role == Role::fragment && has_body && !decision.coding.empty() && !decision.decode;
}

// Whether the client accepts each of these content codings.
bool takes_codings(ngx_http_request_t* r, const std::string& codings) {
    return larder::takes_codings(client_codings(r), codings);
}

// Whether Content-Length exceeds larder_max_size. The length of a body that is to be decoded says nothing.
bool is_too_large(const ngx_http_request_t* r, const Ctx* ctx) {
    return !ctx->fill->decision.decode &&
           r->headers_out.content_length_n > static_cast<std::int64_t>(ctx->policy().max_body);
}

// An answer of unknown length may have no end. If it takes longer than larder_lock, the requests that wait for it are
// let go, and the fill ends if its client leaves. If it ends nonetheless, it is stored.
void limit_waiting(Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (ctx->role != Role::client || !fill.is_for_store() || fill.expected >= 0) return;
    fill.overdue.bind<&Ctx::let_others_pass>(ctx, ctx->request->connection->log);
    fill.overdue.start_timer(ctx->conf->lock.value());
}

ngx_int_t pass_header(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    if (ctx->role != Role::client) {
        fill.to_client = ToClient::nothing;
        r->header_sent = 1;
        return NGX_OK;
    }
    strip_larder_response_headers(r);
    send_own_date(r);
    if (!add_vary(r, ctx)) return NGX_ERROR;
    if (!fill.is_for_page()) limit_purged_header(r, ctx);
    if (fill.is_for_page()) {
        ngx_http_clear_content_length(r);
        ngx_http_clear_last_modified(r);
        ngx_http_clear_accept_ranges(r);
        ngx_http_clear_etag(r);
    }
    // A page's header waits for the page; that of a coded answer for the first decoded bytes.
    fill.to_client = fill.is_for_page()        ? ToClient::page
                     : fill.decoder != nullptr ? ToClient::header_held
                                               : ToClient::as_it_comes;
    return fill.is_header_held() ? NGX_OK : send_header(r, ctx);
}

// 304: the backend confirmed the entry at hand. Stores it with new times, and answers with it.
ngx_int_t revalidate(ngx_http_request_t* r, Ctx* ctx) {
    ctx->entry.join();
    auto parts = revalidated(ctx->policy(), ctx->entry.view(), gather_answer(r, ctx),
                             ctx->fill->decision);
    if (!parts) return retry_without_condition(r, ctx);
    store_revalidated(r, ctx, *parts);
    if (!is_for_visitor(ctx)) return retry_for_session(r, ctx);
    ctx->entry.purged = was_purged_meanwhile(ctx);
    return answer_from_entry(r, ctx, Status::revalidated);
}

// Whether the answer is an error about the credentials that were sent: it says nothing about the page that others
// get.
bool is_about_credentials(const Ctx* ctx) {
    return ctx->authorized && ctx->fill->status >= NGX_HTTP_SPECIAL_RESPONSE;
}

void not_stored(ngx_http_request_t* r, Ctx* ctx) {
    count(near_cache::Counter::unstorable);
    // Let the next request with credentials try at once
    if (is_about_credentials(ctx)) zone().postpone_refresh(ctx->key, now_ms());
    if (is_failure(ctx) || is_about_credentials(ctx)) {
        ctx->fill->permit.abandon();
        return;
    }
    if (ctx->fill->decision.is_unasked()) {
        // Clients that accept the coding may find an entry of their own.
        store_marker(ctx, {"accept-encoding"});
    } else {
        // The backend does not confirm what we have stored: remove it.
        zone().forget(ctx->key);
        if (const StoreConf* store = ctx->conf->where.value().store; store != nullptr && !ctx->near_only)
            forget_entry(*store, ctx->key);
    }
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "larder: not stored \"%V\": %s%s", &r->uri,
                   text_of(ctx->detail.reason), ctx->detail.names);
    end_with_pass(ctx);
}

// The answer varies on headers that the client sent and the reduced request left out. Stores a marker for later
// requests, extends this request's variant by these headers and asks again. Where such variants are not kept
// (larder_vary refuse), asks again in full instead. Variants by content coding are always kept.
ngx_int_t ask_with_varying_headers(ngx_http_request_t* r, Ctx* ctx, const std::vector<std::string> names) {
    bool may_key = ctx->conf->vary_most.value() != 0 || ctx->fill->decision.is_unasked();
    if (ctx->entry.empty()) store_marker(ctx, names);
    ctx->fill->permit.abandon();
    ctx->entry.drop();
    if (!may_key || !extend_variant(r, ctx, names)) {
        ctx->detail = varies_detail(r, names);
        return retry_in_full(r, ctx);
    }
    zone().admit_variant(ctx->base, ctx->key, now_ms(), most_variants(ctx));  // not refused here, but counts towards the limit
    start_fill(r, ctx);
    FillPermit::claim(ctx->key, ctx->fill->permit);
    return ask_again(r);
}

}  // namespace

void strip_larder_response_headers(ngx_http_request_t* r) {
    const Policy& policy = loc_conf(r)->policy;
    const Ctx* ctx = ctx_of(r);
    bool is_captured = ctx != nullptr && ctx->fill != nullptr && ctx->fill->body_for != BodyFor::nobody;
    bool announces = !is_captured && passes_trailers(r);
    each_response_header(r, [&](ngx_table_elt_t& header) {
        bool is_vain = !announces && equals_ignore_case(view(header.key), "Trailer");
        if (is_vain || is_larder_field(policy, view(header.key))) header.hash = 0;
    });
}

bool is_failure(const Ctx* ctx) {
    return ctx->policy().failures.has(ctx->fill->status, ctx->role == Role::refresh);
}

bool is_fills_answer(ngx_http_request_t* r, Fill& fill) {
    if (r->err_status != 0 || r->error_page || r->filter_finalize) return false;
    if (r->uri_changes == fill.uri_changes) return true;
    // An internal redirect has led here. It belongs to the answer if it is an X-Accel-Redirect; or, if there was no
    // upstream, try_files or the like. error_page with "=" under recursive_error_pages leaves no trace in the
    // request, so a redirect from a location that has one is taken for an error page.
    bool by_upstream = r->upstream != nullptr && r->upstream != fill.upstream;
    if (by_upstream) {
        const ngx_http_upstream_t& u = *r->upstream;
        bool asked_for = u.headers_in.x_accel_redirect != nullptr &&
                         (u.conf->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT) == 0;
        if (!asked_for) return false;
    } else if (fill.location->recursive_error_pages && overwrites_status(*fill.location)) {
        return false;
    }
    bool several = fill.uri_changes - r->uri_changes > 1;
    if (several && (fill.location->recursive_error_pages || core_location(r)->recursive_error_pages)) return false;
    note_place(r, fill);
    return true;
}

bool is_for_failure(const ngx_http_request_t* r, const Fill& fill) {
    const ngx_http_upstream_t* u = r->upstream != fill.upstream ? r->upstream : nullptr;
    return r->err_status >= NGX_HTTP_INTERNAL_SERVER_ERROR ||
           (u != nullptr && u->state != nullptr && u->state->status >= NGX_HTTP_INTERNAL_SERVER_ERROR);
}

void retire_fill(Ctx* ctx) {
    ctx->fill->permit.abandon();
    if (ctx->place != nullptr) ctx->place->leave();
    ctx->retired = std::move(ctx->fill);
}

ngx_int_t start_fill(ngx_http_request_t* r, Ctx* ctx) {
    begin_fill(r, ctx);
    Fill& fill = *ctx->fill;
    if (ctx->has_variant() && ctx->status == Status::miss && r->method != NGX_HTTP_HEAD) {
        fill.fence = fence_now(ctx->conf->where.value().store);
        if (ctx->renewal() != nullptr) fill.fence = std::max(fill.fence, ctx->renewal()->fence);
        reduce_request(r, ctx);
        look_away_from_client(r, ctx);
    }
    constexpr std::uint64_t asking_work = 2'000;  // in most cases nginx opens a connection
    if (ctx->role == Role::fragment) spend_turn(asking_work);
    return NGX_DECLINED;
}

namespace {

// nginx or error_page replaced the answer that the fill asked for. It is not stored, but a page may include it as a
// fragment.
ngx_int_t other_answer(ngx_http_request_t* r, Ctx* ctx, bool reduced) {
    Fill& fill = *ctx->fill;
    if (reduced && is_for_failure(r, fill) && can_fall_back(ctx) && !r->filter_finalize) return fall_back(r, ctx);
    ctx->detail = Reason::error_page;
    if (ctx->role == Role::client) {
        retire_fill(ctx);
        strip_larder_response_headers(r);
        return add_cache_status(r, ctx) ? next_header_filter(r) : NGX_ERROR;
    }
    ctx->fill->permit.abandon();
    fill.body_for = ctx->role == Role::fragment ? BodyFor::page : BodyFor::nobody;
    if (fill.is_for_page()) {
        Storability decision = storability(ctx->policy(), gather_answer(r, ctx));
        if (is_unreadable(r, ctx, decision)) return give_up(r, ctx);
        if (decision.decode) start_decoding(r, ctx, decision.coding);
    }
    prepare_capture(r, ctx);
    return pass_header(r, ctx);
}

// HEAD of a page with ESI: removes what describes the template, as the page will have other values.
void forget_template(ngx_http_request_t* r) {
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_etag(r);
    ngx_http_clear_last_modified(r);
    remove_digests(r);
}

}  // namespace

void Ctx::let_others_pass() {
    if (fill == nullptr) return;
    if (fill->permit.is_held()) end_with_pass(this);
    look_at_client_again(request, this);
}

ngx_int_t fill_header(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    bool reduced = fill.is_reduced();
    restore_request(r, ctx);
    if (is_not_http(r)) {
        r->http_version = static_cast<ngx_uint_t>(r->http_major) * 1000 + r->http_minor;
        return give_up(r, ctx);
    }
    fill.status = static_cast<std::uint16_t>(r->headers_out.status);
    const bool failed = is_failure(ctx);
    const std::int64_t rest_ms = failed || ctx->renewal() != nullptr ? asked_for_rest_ms(r) : 0;
    if (ctx->renewal() != nullptr) ctx->renewal()->report = failure_report(r, rest_ms);
    // A header without a status does not come from the backend: SSI sends one before the stub of a failed subrequest.
    bool is_stub = fill.status == 0;
    if (is_stub || !is_fills_answer(r, fill)) return other_answer(r, ctx, reduced);
    if (failed) fill.retry_ms = std::max(refresh_retry_ms, rest_ms);
    if (reduced && failed && can_fall_back(ctx)) return fall_back(r, ctx);
    if (fill.conditional && reduced && fill.status == NGX_HTTP_NOT_MODIFIED) return revalidate(r, ctx);
    if (ctx->role == Role::fragment) fill.take_for(BodyFor::page);
    if (reduced) {
        fill.decision = storability(ctx->policy(), gather_answer(r, ctx));
        bool too_large = fill.decision.store && is_too_large(r, ctx);
        if (too_large) fill.decision.refuse(Reason::too_large);
        bool is_anothers = ctx->session && fill.decision.audience != Audience::everybody;
        if (is_anothers && !failed) {
            request_refresh(r, ctx);  // so that the page's audience is known again for the next request
            return retry_for_session(r, ctx);
        }
        // An error with explicit freshness must not replace the page that the refresh was to renew.
        bool renews_nothing = ctx->role == Role::refresh && failed && ctx->servable();
        bool is_for_store = fill.decision.store && !renews_nothing && ctx->no_store == Reason::none &&
                            !any_true(r, ctx->conf->no_store.value());
        if (is_for_store) fill.take_for(BodyFor::store);
        if (is_for_store && ctx->role != Role::refresh && can_ask_again(r) &&
            sends_one_of(r, ctx, fill.decision.vary))
            return ask_with_varying_headers(r, ctx, fill.decision.vary);
        if (fill.decision.is_unasked() && ctx->role == Role::client && can_ask_again(r) && takes_codings(r, fill.decision.coding))
            return ask_with_varying_headers(r, ctx, {"accept-encoding"});
        if (is_for_store) strip_cookies(r, ctx->policy());
        learn_from_reduced(ctx);
        fill.purged = was_purged_meanwhile(ctx);
        if (fill.decision.esi && ctx->role == Role::client) fill.take_for(BodyFor::page);
        if (fill.decision.store && !is_for_store) {  // a reason of this request, not of the page
            ctx->detail = ctx->no_store != Reason::none ? ctx->no_store : Reason::by_no_store;
            ctx->fill->permit.abandon();
        } else if (!is_for_store) {
            bool varies = fill.decision.reason == Reason::vary;
            ctx->detail = varies ? varies_detail(r, fill.decision.vary) : Detail(fill.decision.reason);
            not_stored(r, ctx);
            bool in_full = too_large ? whole_request_matters(r, ctx) : could_differ(r, fill);
            if (in_full && !failed) return retry_in_full(r, ctx);
        }
    } else {  // sent in full: not stored, but a page may be assembled from it
        fill.decision = storability(ctx->policy(), gather_answer(r, ctx));
        if (ctx->session && fill.decision.audience == Audience::everybody) fill_for_everybody(r, ctx);
        if (ctx->guess == Guess::is_not_kept) learn_from_full(ctx);
        if (fill.decision.esi && ctx->role == Role::client && r->method != NGX_HTTP_HEAD) fill.take_for(BodyFor::page);
        if (fill.decision.esi && r->method == NGX_HTTP_HEAD) forget_template(r);
    }
    // A page of fragments and a refresh need the complete body, and would wait for ever.
    if (fill.decision.stream && ctx->role != Role::client) return NGX_HTTP_BAD_GATEWAY;
    if (is_unreadable(r, ctx, fill.decision)) return give_up(r, ctx);
    if (fill.decision.decode && (reduced || fill.is_for_page())) start_decoding(r, ctx, fill.decision.coding);
    if (fill.decision.opaque && ctx->role == Role::client)
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "larder: \"%V\" is in the content coding \"%s\", which can't be undone: sent with its ESI markup", &r->uri,
                      fill.decision.coding.c_str());
    prepare_capture(r, ctx);
    limit_waiting(ctx);
    if (!fill.is_for_store() && asker_has_left(ctx)) return NGX_ERROR;
    if (!fill.is_for_store()) look_at_client_again(r, ctx);
    return pass_header(r, ctx);
}

}  // namespace larder::ngx
