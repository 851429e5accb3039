// The backend's answer, as the content handler left it in r->headers_out. For the header filter.
#pragma once

#include "cache/response/storable.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The answer in the cache library's terms, including the fields that nginx hides. Views refer to r's pool.
// Precondition: ctx->fill.
Answer gather_answer(ngx_http_request_t* r, const Ctx* ctx);

// Whether the answer has no status line. nginx takes such an answer for HTTP/0.9 and would pass on whatever it is.
bool is_not_http(ngx_http_request_t* r);
// Retry-After of a failed answer in milliseconds from now; 0: none.
std::int64_t asked_for_rest_ms(ngx_http_request_t* r);
// Whether nginx forwards the answer's trailers (proxy_pass_trailers). An answer that Larder captures is sent without
// them.
bool passes_trailers(const ngx_http_request_t* r);

// Sends the backend's own Date. nginx would send the present time; a forwarded answer keeps its own (RFC 9110 section
// 6.6.1).
void send_own_date(ngx_http_request_t* r);
// Removes the Set-Cookie fields that larder_strip_set_cookie names. The answer is stored without them, so no client gets
// them.
void strip_cookies(ngx_http_request_t* r, const Policy& policy);

}  // namespace larder::ngx
