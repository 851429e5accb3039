// Another answer in the place of one that failed. For the filters, as long as nothing of the backend's answer was sent.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Whether there is an entry that may be served because the backend failed.
bool can_fall_back(const Ctx* ctx);
// That entry is the answer. Precondition: can_fall_back(). This and the following return what the filter has to return.
ngx_int_t fall_back(ngx_http_request_t* r, Ctx* ctx);
// The entry at hand is the answer, with this status.
ngx_int_t answer_from_entry(ngx_http_request_t* r, Ctx* ctx, Status status);
// What comes is not what it says it is, or less. Falls back, or answers with an error.
ngx_int_t give_up(ngx_http_request_t* r, Ctx* ctx);

}  // namespace larder::ngx
