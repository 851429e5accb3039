// From an entry to a response. Called in the precontent phase, by the lookup; from an event of its own where the entry takes the
// place of the backend's answer (substitute.cpp). What adds response headers is also used by the header filter.
#pragma once

#include <string_view>

#include "cache/response/parts_control.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Our bit in r->buffered: more will come.
inline constexpr unsigned larder_buffered = 0x08;

// Answers from ctx->entry and finalizes r. Returns what the phase handler has to return.
ngx_int_t serve_entry(ngx_http_request_t* r, Ctx* ctx, Status status);
// Header and body of ctx->entry. NGX_DONE: the page waits for fragments, and finalizes r itself.
ngx_int_t send_entry(ngx_http_request_t* r, Ctx* ctx);
ngx_int_t send_entry_body(ngx_http_request_t* r, Ctx* ctx);
// Fills r->headers_out from the entry, with Age and Cache-Status. False if memory is short.
bool set_headers_from_entry(ngx_http_request_t* r, Ctx* ctx);

// Adds a field to the response; its name and value are not copied. Null if memory is short, or if `value` has no data because it was.
ngx_table_elt_t* add_response_header(ngx_http_request_t* r, ngx_str_t name, ngx_str_t value);
// Tells nginx's filters of a Cache-Control field. False if memory is short.
bool note_cache_control(ngx_http_request_t* r, ngx_table_elt_t* header);
// Adds Cache-Status (RFC 9211). False if memory is short.
bool add_cache_status(ngx_http_request_t* r, Ctx* ctx);
// Adds `Vary: Accept-Encoding` if the content coding was negotiated. False if memory is short.
bool add_vary(ngx_http_request_t* r, const Ctx* ctx);
void clear_response_headers(ngx_http_request_t* r);
// Removes the digests of a body that another one takes the place of.
void remove_digests(ngx_http_request_t* r);

}  // namespace larder::ngx
