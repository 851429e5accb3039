// How subrequests of ours begin and end.
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

// What waits for a subrequest, and, where nginx has ended that while its answer was not all taken, how.
struct LateEnd {
    ngx_http_post_subrequest_pt handler;  // guarded
    void* data;
    bool is_due = false;
    ngx_int_t rc = NGX_OK;
};

static ngx_int_t on_end(ngx_http_request_t* r, void* data, ngx_int_t rc) {  // never throws
    auto* end = static_cast<LateEnd*>(data);
    Ctx* ctx = ctx_of(r);
    if (ctx != nullptr && ctx->fill != nullptr && ctx->fill->at_work) {
        end->is_due = true;
        end->rc = rc;
        return NGX_OK;
    }
    return end->handler(r, end->data, rc);
}

void end_late(Ctx* ctx) {
    LateEnd* end = ctx->late_end;
    if (end != nullptr && std::exchange(end->is_due, false)) end->handler(ctx->request, end->data, end->rc);
}

Ctx* ask_location(ngx_http_request_t* r, std::string_view target, ngx_http_post_subrequest_pt ended,
                  void* data) {
    // As a client's request for the same URL, which has the same key.
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
    auto* end = static_cast<LateEnd*>(ngx_palloc(r->pool, sizeof(LateEnd)));
    if (after == nullptr || end == nullptr) throw std::bad_alloc();
    after->handler = on_end;  // guarded: what they pass is
    after->data = new (end) LateEnd{ended, data};
    // All that can fail is done before nginx has the subrequest: it never runs as a copy of the client's request.
    Ctx* asker = ctx_of(r);
    if (asker->detached == nullptr) asker->detached = detach_from_client(r);
    ngx_http_variable_value_t* variables = copy_variables(r, asker->detached->variables);
    Ctx* ctx = make<Ctx>(r->pool);
    ctx->role = Role::fragment;
    ctx->late_end = end;
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
    bool captured = !ctx->served && fill != nullptr && fill->complete && fill->for_page && rc == NGX_OK &&
                    is_good(fill->status);
    bool failed = !ctx->served && !captured && (answer.status == 0 || answer.status >= 500 || (fill != nullptr && fill->failed));
    if (failed && ctx->servable()) {
        ctx->served = true;
        ctx->status = Status::error_stale;
    }
    if (ctx->served) {
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
    bool waits_for_us = ctx->suspended && (ctx->group == nullptr || ctx->group->state != Group::State::pending);
    bool not_begun = r->write_event_handler == ngx_http_handler;
    bool has_ended = ctx->late_end->is_due;
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
    // The memory of a subrequest is its page's.
    if (was_filling) request_refresh(r, ctx, RefreshOf::abandoned_fragment);
}

}  // namespace larder::ngx
