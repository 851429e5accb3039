// Our places in nginx's filter chains: before all other header filters; right after the body filters that bring
// bodies into memory.
#include "ngx_module/request/filters.hpp"

#include "ngx_module/buffers.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/capture.hpp"
#include "ngx_module/request/client.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/group.hpp"
#include "ngx_module/request/invalidate.hpp"
#include "ngx_module/request/refresh.hpp"
#include "ngx_module/request/serve.hpp"

namespace larder::ngx {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

namespace {

// The location has answered before our lookup ran, by `return` or an access rule. A fragment needs that answer too.
void capture_early_answer(ngx_http_request_t* r, Ctx* ctx) {
    if (ctx->conf == nullptr) ctx->conf = loc_conf(r);
    ctx->status = Status::pass;
    start_fill(r, ctx);
}

ngx_int_t filter_header(ngx_http_request_t* r) {
    Ctx* ctx = ctx_of(r);
    if (r == r->main) forget_group_after(r, ctx);
    if (ctx == nullptr || ctx->is_served()) return next_header_filter(r);
    if (ctx->substitution != nullptr) return NGX_OK;
    if (ctx->role == Role::refresh && ctx->fill == nullptr) {
        if (ctx->phase == Phase::entering) note_answered_before(r, ctx);
        return NGX_ERROR;
    }
    if (ctx->role == Role::fragment && ctx->fill == nullptr) capture_early_answer(r, ctx);
    if (ctx->conf != nullptr && ctx->role == Role::client && r == r->main) invalidate_after(r, ctx);
    if (ctx->fill != nullptr) return fill_header(r, ctx);
    strip_larder_response_headers(r);
    return add_cache_status(r, ctx) ? next_header_filter(r) : NGX_ERROR;
}

ngx_int_t header_filter(ngx_http_request_t* r) {
    return guarded(r->connection->log, "header filter", static_cast<ngx_int_t>(NGX_ERROR),
                   [r] { return filter_header(r); });
}

ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* in) {
    auto* ctx = static_cast<Ctx*>(ngx_http_get_module_ctx(r, ngx_http_larder_module));
    if (ctx != nullptr && ctx->substitution != nullptr) {
        consume(in);
        return NGX_OK;
    }
    if (ctx == nullptr || ctx->fill == nullptr) return next_body_filter(r, in);
    if (in == nullptr) {
        if (ctx->fill->to_client == ToClient::gone) return NGX_OK;
        ngx_int_t rc = next_body_filter(r, in);
        return goes_on_without_client(r, ctx, rc) ? NGX_OK : rc;
    }
    return guarded(r->connection->log, "body filter", static_cast<ngx_int_t>(NGX_ERROR),
                   [&] { return fill_body(r, ctx, in); });
}

}  // namespace

void install_header_filter() {
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = header_filter;
}

void install_body_filter() {
    next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = body_filter;
}

}  // namespace larder::ngx
