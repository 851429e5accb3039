// Requests that wait in the precontent phase: for the store, for another's fill, for their group, or for their turn.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Stops running the request's phases until resume(). Meanwhile nginx ends the request if its client leaves. Returns what the phase
// handler has to return.
ngx_int_t suspend(ngx_http_request_t* r, Ctx* ctx);
// Runs the phases of a suspended request on. The request may be gone when this returns.
void resume(Ctx* ctx);
// The same, once nginx is done with the subrequest whose end is being handled.
ngx_int_t resume_soon(Ctx* ctx);

// Waits for another's fill of ctx->key. The request is woken when that ends (near/wakeup.hpp), or when larder_lock is over.
void begin_waiting(Ctx* ctx);

}  // namespace larder::ngx
