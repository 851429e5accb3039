// The backend's answer, as its content handler left it in r->headers_out. For the header filter.
#pragma once

#include "cache/response/storable.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The answer in the cache library's terms, with the fields that nginx keeps to itself. Views are into r's pool. Precondition: ctx->fill.
Answer gather_answer(ngx_http_request_t* r, const Ctx* ctx);

// Whether the answer has no status line: nginx takes it for HTTP/0.9, and would pass on whatever it is.
bool is_not_http(ngx_http_request_t* r);
// How long a site that failed asks to be left alone.
std::int64_t asked_for_rest_ms(ngx_http_request_t* r);
// Whether nginx sends the answer's trailers on.
bool passes_trailers(const ngx_http_request_t* r);

// nginx gives each answer the present time as its Date; an answer that is forwarded has its own (RFC 9110 section 6.6.1).
void send_own_date(ngx_http_request_t* r);
// Removes the cookies of an answer that may be stored only because the operator said so: they go to nobody.
void strip_cookies(ngx_http_request_t* r, const Policy& policy);

}  // namespace larder::ngx
