// Subrequests of Larder's own, whose answers go to another request instead of the client.
#pragma once

#include <string>
#include <string_view>

#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Starts a background subrequest for `target` ("/path?query") and returns its context, of Role::fragment, whose conf
// is set later. `ended` is called with `data` when it ends; `data` must live as long as r's pool. Null if nginx
// refuses the target or can't start a subrequest. Throws std::bad_alloc.
Ctx* ask_location(ngx_http_request_t* r, std::string_view target, ngx_http_post_subrequest_pt ended,
                  void* data);

// Calls `ended` for a subrequest that nginx ended before we had processed its body. Call it once that is done.
void end_late(Ctx* ctx);

// The result of a subrequest: the entry that it was served from, the body that was captured, or a stale entry in
// place of a failure.
struct OwnAnswer {
    std::uint16_t status = 0;     // 0: no answer
    bool good = false;            // complete, and the status is 2xx
    std::string_view body, plan;  // set if good; valid as long as the request's pool
};

// To be called once, from `ended`, with the arguments of that. `ctx` is null if an internal redirect lost the
// context.
OwnAnswer own_answer(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc);

// Ends a subrequest of ask_location() whose answer is no longer wanted. Otherwise the client's connection would have
// to wait for it before its next request. `ended` is called. If the subrequest was filling a key, a refresh does that
// in the background. A subrequest that waits for another module (auth_request, limit_req) is left alone, and ends by
// itself. Must not be called from within the subrequest's own handlers.
void abandon(Ctx* ctx);

}  // namespace larder::ngx
