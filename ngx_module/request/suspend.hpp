// Requests that wait in the precontent phase: for the store, for another's fill, for their group, or for their turn.
#pragma once

#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Stops running the request's phases until resume(). Meanwhile nginx ends the request if its client leaves. Returns what the phase
// handler has to return.
ngx_int_t suspend(ngx_http_request_t* r, Ctx* ctx, Waits waits);
// Runs the phases of a suspended request on. The request may be gone when this returns.
void resume(Ctx* ctx);
// The same, once nginx is done with the subrequest whose end is being handled.
ngx_int_t resume_soon(Ctx* ctx);

// A request's wait for another's fill of its key. The request is resumed when that fill ends, or when larder_lock is over: there is one
// deadline, however often the request is woken and finds that it has to wait on.
class FillWait final : public Waiter {
public:
    explicit FillWait(Ctx* ctx);

    static constexpr const char* event_name = "request";
    void end_wait();  // a timer has run out
    void failed() noexcept;

    Event deadline;
    Event again;  // while another machine fills: when to ask the store for its lease again

private:
    void woken() override;

    Ctx* ctx_;
};

// Makes ctx->fill_wait, if the request has not waited yet, and waits.
void begin_waiting(Ctx* ctx);

}  // namespace larder::ngx
