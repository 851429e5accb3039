// Subrequests of ours, whose answers go to another request and not to the client.
#pragma once

#include <string>
#include <string_view>

#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Asks the location of `target` ("/path?query"). `ended` is called once with `data`, which must live as long as r's pool.
// Returns the subrequest's context (of Role::fragment, its conf still to be known); null when nothing can answer the target.
Ctx* ask_location(ngx_http_request_t* r, std::string_view target, ngx_http_post_subrequest_pt ended,
                  void* data);

// Calls `ended` of a subrequest that nginx has ended before all of its answer was taken, which now it is.
void end_late(Ctx* ctx);

// What came of it: the entry that it was served from, or what was captured, or a stale entry that we had.
struct OwnAnswer {
    std::uint16_t status = 0;     // 0: none came
    bool good = false;            // whole, and its status is 2xx
    std::string_view body, plan;  // good: they live as long as the request's pool
};

// To be called once, from `ended`, with what nginx gave that. ctx is null if nginx lost it on the way.
OwnAnswer own_answer(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc);

// Ends a subrequest of ask_location() whose answer nobody wants any more: it would keep the client's connection from its next
// request. `ended` is called for it once more. What it was to fill is made in the background. A subrequest that waits for another
// module (auth_request, limit_req) can't be ended from here; it ends by itself. Not to be called from what the subrequest runs.
void abandon(Ctx* ctx);

}  // namespace larder::ngx
