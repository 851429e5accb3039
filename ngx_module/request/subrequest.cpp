// How our subrequests begin and end.
#include "ngx_module/request/subrequest.hpp"

#include <new>
#include <utility>

#include "cache/request/url.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/group.hpp"
#include "ngx_module/request/reduce.hpp"
#include "ngx_module/request/refresh.hpp"
#include "ngx_module/request/substitute.hpp"
#include "ngx_module/request/target.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

static ngx_int_t on_end(ngx_http_request_t* r, void* data, ngx_int_t rc) {  // never throws
    auto* fragment = static_cast<Fragment*>(data);
    Ctx* ctx = ctx_of(r);
    if (ctx != nullptr && ctx->fill != nullptr && ctx->fill->at_work) {
        fragment->late_end = rc;
        return NGX_OK;
    }
    return fragment->ended(r, fragment->data, rc);
}

void end_late(Ctx* ctx) {
    if (ctx->fragment == nullptr) return;
    auto rc = std::exchange(ctx->fragment->late_end, std::nullopt);
    if (rc) ctx->fragment->ended(ctx->request, ctx->fragment->data, *rc);
}

Ctx* ask_location(ngx_http_request_t* r, std::string_view target, ngx_http_post_subrequest_pt ended,
                  void* data) {
    // Normalise the target like a client's, so that both have the same key.
    Target parts = split_target(target);
    std::string path_storage, storage;
    auto path = decoded_path(r, normalise_path(parts.path, path_storage), storage);
    if (!path) return nullptr;
    ngx_str_t uri = copy(r->pool, *path);
    ngx_str_t args = copy(r->pool, parts.query);
    ngx_str_t whole = copy(r->pool, target);
    if (uri.data == nullptr || args.data == nullptr || whole.data == nullptr) throw std::bad_alloc();
    auto* after =
        static_cast<ngx_http_post_subrequest_t*>(ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t)));
    void* memory = ngx_palloc(r->pool, sizeof(Fragment));
    if (after == nullptr || memory == nullptr) throw std::bad_alloc();
    after->handler = on_end;  // guarded: so is every `ended`
    auto* fragment = new (memory) Fragment;
    fragment->ended = ended;
    fragment->data = data;
    after->data = fragment;
    // Allocate everything before nginx has the subrequest: if something fails later, it would run as a copy of the
    // client's request.
    Ctx* asker = ctx_of(r);
    if (asker->detached == nullptr) asker->detached = detach_from_client(r);
    ngx_http_variable_value_t* variables = copy_variables(r, asker->detached->variables);
    Ctx* ctx = make<Ctx>(r->pool);
    ctx->role = Role::fragment;
    ctx->fragment = fragment;
    ngx_http_request_t* subrequest;
    if (ngx_http_subrequest(r, &uri, &args, &subrequest, after, NGX_HTTP_SUBREQUEST_BACKGROUND) != NGX_OK)
        return nullptr;
    subrequest->headers_in = asker->detached->headers;
    subrequest->request_body = asker->detached->body;
    subrequest->variables = variables;
    subrequest->unparsed_uri = whole;
    subrequest->valid_unparsed_uri = 1;
    attach_ctx(subrequest, ctx);
    return ctx;
}

OwnAnswer own_answer(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc) {
    OwnAnswer answer;
    answer.status = static_cast<std::uint16_t>(rc >= 300 && rc < 600 ? rc : 0);
    if (ctx == nullptr) return answer;
    Fill* fill = ctx->fill.get();
    if (fill != nullptr) {
        restore_request(r, ctx);
        fill->permit.abandon();
        if (fill->status != 0) answer.status = fill->status;
    }
    auto is_good = [](unsigned status) { return status >= 200 && status < 300; };
    bool captured = !ctx->is_served() && fill != nullptr && fill->is_complete() && fill->is_for_page() && rc == NGX_OK &&
                    is_good(fill->status);
    bool failed = !ctx->is_served() && !captured && (answer.status == 0 || answer.status >= 500 || (fill != nullptr && is_failure(ctx)));
    if (failed && ctx->servable()) {
        ctx->phase = Phase::serving;
        ctx->status = Status::error_stale;
    }
    if (ctx->is_served()) {
        EntryView entry = ctx->entry.view();
        answer = {entry.head().status, is_good(entry.head().status), entry.body(), entry.plan()};
    } else if (captured) {
        answer = {answer.status, true, fill->body, fill->plan()};
    }
    return answer;
}

void abandon(Ctx* ctx) {
    ngx_http_request_t* r = ctx->request;
    bool asks_backend = r->upstream != nullptr && r->upstream->cleanup != nullptr;
    bool waits_for_us = ctx->waits == Waits::for_cache;
    bool not_begun = r->write_event_handler == ngx_http_handler;
    bool has_ended = ctx->fragment->late_end.has_value();
    if (!asks_backend && !waits_for_us && !not_begun && !has_ended) return;
    bool was_filling = ctx->fill != nullptr && ctx->fill->permit.is_held();
    if (asks_backend) end_upstream(r);
    ctx->end_waits();
    if (has_ended) {
        end_late(ctx);
    } else {
        r->write_event_handler = ngx_http_request_empty_handler;  // it may stand in the queue of those that run next
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    }
    // A subrequest's memory is its page's, so ctx and r are still valid here.
    if (was_filling) request_refresh(r, ctx, RefreshOf::abandoned_fragment);
}

}  // namespace larder::ngx
