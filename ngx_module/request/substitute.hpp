// Another answer in place of the backend's. Called in the filters, while the backend's answer arrives.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Discards the rest of the backend's answer. The client gets the substitute from an event at the end of this turn.
// Returns what a filter has to return.
ngx_int_t answer_instead(Ctx* ctx, Substitute substitute);
// Ends r's upstream; r itself goes on. Must not be called from a callback of that upstream.
void end_upstream(ngx_http_request_t* r);

}  // namespace larder::ngx
