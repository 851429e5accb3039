// All of this runs before any byte of the backend's answer was sent.
#include "ngx_module/request/fall_back.hpp"

#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/substitute.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

bool can_fall_back(const Ctx* ctx) {
    return ctx->role != Role::refresh && ctx->servable();
}

ngx_int_t answer_from_entry(ngx_http_request_t* r, Ctx* ctx, Status status) {
    if (ctx->role == Role::client) return answer_instead(ctx, {status});
    ctx->status = status;
    ctx->phase = Phase::serving;
    ctx->fill->to_client = ToClient::nothing;
    ctx->fill->body_for = BodyFor::nobody;
    r->header_sent = 1;
    return NGX_OK;
}

ngx_int_t fall_back(ngx_http_request_t* r, Ctx* ctx) {
    ctx->fill->permit.abandon();
    zone().postpone_refresh(ctx->key, now_ms() + ctx->fill->retry_ms);
    return answer_from_entry(r, ctx, Status::error_stale);
}

ngx_int_t give_up(ngx_http_request_t* r, Ctx* ctx) {
    Fill& fill = *ctx->fill;
    fill.progress = Progress::broken;
    if (can_fall_back(ctx)) return fall_back(r, ctx);
    ctx->fill->permit.abandon();
    if (ctx->role == Role::client) {
        ctx->detail = Reason::broken_answer;
        return answer_instead(ctx, {Status::error, NGX_HTTP_BAD_GATEWAY});
    }
    fill.status = NGX_HTTP_BAD_GATEWAY;
    fill.to_client = ToClient::nothing;
    fill.body_for = BodyFor::nobody;
    r->header_sent = 1;
    return NGX_OK;
}

}  // namespace larder::ngx
