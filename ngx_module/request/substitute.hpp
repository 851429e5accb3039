// Another answer in the place of the backend's. Called in the filters, while the backend's answer arrives.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Discards the rest of the backend's answer; the client gets the other one from the next turn of the event loop on. Returns what a
// filter has to return.
ngx_int_t answer_instead(Ctx* ctx, Substitute substitute);
// Ends the upstream of a request that goes on without it. Must not be called from a callback of that upstream.
void end_upstream(ngx_http_request_t* r);

}  // namespace larder::ngx
