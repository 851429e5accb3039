// Requests that wait in the precontent phase: for the store, another request's fill, their group, or their turn.
#pragma once

#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Stops running the request's phases until resume(). nginx still ends the request if its client leaves. Returns what
// the phase handler has to return.
ngx_int_t suspend(ngx_http_request_t* r, Ctx* ctx, Waits waits);
// Goes on running the phases of a suspended request. The request may be destroyed when this returns.
void resume(Ctx* ctx);
// The same, by a posted request: for use in the callback at a subrequest's end, where nginx still works on the
// subrequest.
ngx_int_t resume_soon(Ctx* ctx);

// A request's wait for another request's fill of its key. The end of that fill resumes it, or the deadline of
// larder_lock. There is one deadline, however often the request is woken and has to wait again.
class FillWait final : public Waiter {
public:
    explicit FillWait(Ctx* ctx);

    static constexpr const char* event_name = "request";
    void end_wait();  // called when a timer has run out
    void failed() noexcept;

    Event deadline;
    Event again;  // while another machine fills: when to claim the store's lease again

private:
    void woken() override;

    Ctx* ctx_;
};

// Registers the request as a waiter for ctx->key. Makes ctx->fill_wait, and starts its deadline, on the first call.
void begin_waiting(Ctx* ctx);

}  // namespace larder::ngx
