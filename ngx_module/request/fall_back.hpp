// Another answer in place of a failed one. For use in the filters, before anything of the backend's answer was sent.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Whether there is an entry that may be served because the backend failed.
bool can_fall_back(const Ctx* ctx);
// Answers with that entry. Precondition: can_fall_back(). This and the functions below return what the filter has to
// return.
ngx_int_t fall_back(ngx_http_request_t* r, Ctx* ctx);
// Answers with the entry at hand, under the given Larder status.
ngx_int_t answer_from_entry(ngx_http_request_t* r, Ctx* ctx, Status status);
// For an answer that is invalid or cut short: falls back, or answers 502.
ngx_int_t give_up(ngx_http_request_t* r, Ctx* ctx);

}  // namespace larder::ngx
