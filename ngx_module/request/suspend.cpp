// How a request stops between phases and is resumed.
#include "ngx_module/request/suspend.hpp"

#include <memory>

namespace larder::ngx {

ngx_int_t suspend(ngx_http_request_t* r, Ctx* ctx, Waits waits) {
    ctx->waits = waits;
    r->write_event_handler = ngx_http_request_empty_handler;
    if (r == r->main && ctx->role == Role::client) r->read_event_handler = ngx_http_test_reading;
    return NGX_AGAIN;
}

static void make_ready(Ctx* ctx) {
    ngx_http_request_t* r = ctx->request;
    ctx->waits = Waits::for_nothing;
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

FillWait::FillWait(Ctx* ctx) : ctx_(ctx) {
    ngx_log_t* log = ctx->request->connection->log;
    deadline.bind<&FillWait::end_wait>(this, log);
    again.bind<&FillWait::end_wait>(this, log);
}

void FillWait::end_wait() {
    // The request may have been woken before the timer ran out, and be waiting for the store now. Then the store's
    // answer resumes it.
    if (stop()) resume(ctx_);
}

void FillWait::woken() {
    resume(ctx_);
}

void FillWait::failed() noexcept {
    ctx_->failed();
}

void begin_waiting(Ctx* ctx) {
    if (ctx->fill_wait == nullptr) {
        ctx->fill_wait = std::make_unique<FillWait>(ctx);
        ctx->fill_wait->deadline.start_timer(ctx->conf->lock.value());
    }
    ctx->fill_wait->wait(ctx->key.bucket_hash());
}

void Ctx::begin_in_turn() {
    resume(this);
}

}  // namespace larder::ngx
