// How a request stops in its phases and runs on.
#include "ngx_module/request/suspend.hpp"

#include "ngx_module/near/wakeup.hpp"

namespace larder::ngx {

ngx_int_t suspend(ngx_http_request_t* r, Ctx* ctx) {
    ctx->suspended = true;
    r->write_event_handler = ngx_http_request_empty_handler;
    if (r == r->main && ctx->role == Role::client) r->read_event_handler = ngx_http_test_reading;
    return NGX_AGAIN;
}

static void make_ready(Ctx* ctx) {
    ngx_http_request_t* r = ctx->request;
    ctx->suspended = false;
    if (r == r->main) r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
}

void resume(Ctx* ctx) {
    ngx_connection_t* c = ctx->request->connection;
    make_ready(ctx);
    ngx_http_core_run_phases(ctx->request);
    ngx_http_run_posted_requests(c);
}

ngx_int_t resume_soon(Ctx* ctx) {
    make_ready(ctx);
    return ngx_http_post_request(ctx->request, nullptr);
}

void begin_waiting(Ctx* ctx) {
    if (!ctx->waited) {  // one deadline, however often it is woken for nothing
        ctx->timer.bind<&Ctx::end_wait>(ctx, ctx->request->connection->log);
        ctx->timer.start_timer(ctx->conf->lock.value());
    }
    ctx->waited = true;
    start_waiting(ctx);
}

void Ctx::end_wait() {
    // Woken before, it may be asking the store by now: that will resume it.
    if (stop_waiting(this)) resume(this);
}

void Ctx::begin_in_turn() {
    resume(this);
}

}  // namespace larder::ngx
