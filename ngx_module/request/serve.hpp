// Builds responses from entries. Called in the precontent phase, by the lookup, or from an event, where an entry
// replaces the backend's answer (substitute.cpp). The header filter, too, uses the functions that add response
// fields.
#pragma once

#include <string_view>

#include "cache/response/parts_control.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Larder's bit in r->buffered: nginx keeps the request, as more output will follow.
inline constexpr unsigned larder_buffered = 0x08;

// Answers from ctx->entry, and finalizes r unless the answer is a page that waits for fragments, which does so
// itself. Returns what the phase handler has to return.
ngx_int_t serve_entry(ngx_http_request_t* r, Ctx* ctx, Status status);
// Sends header and body of ctx->entry. NGX_DONE: the answer is a page that waits for fragments, and will finalize r
// itself.
ngx_int_t send_entry(ngx_http_request_t* r, Ctx* ctx);
ngx_int_t send_entry_body(ngx_http_request_t* r, Ctx* ctx);
// Fills r->headers_out from the entry, with Age, Vary and Cache-Status. False if out of memory.
bool set_headers_from_entry(ngx_http_request_t* r, Ctx* ctx);

// Adds a field to the response; its name and value are not copied. Null if out of memory, or if `value` has no data
// because its own allocation failed.
ngx_table_elt_t* add_response_header(ngx_http_request_t* r, ngx_str_t name, ngx_str_t value);
// Adds the field to headers_out.cache_control, for nginx's filters. False if out of memory.
bool note_cache_control(ngx_http_request_t* r, ngx_table_elt_t* header);
// Adds Cache-Status (RFC 9211), in main requests only. False if out of memory.
bool add_cache_status(ngx_http_request_t* r, Ctx* ctx);
// Adds "Vary: Accept-Encoding" if the content coding was negotiated. False if out of memory.
bool add_vary(ngx_http_request_t* r, const Ctx* ctx);
void clear_response_headers(ngx_http_request_t* r);
// Removes digest fields, as another body replaces the one that they describe.
void remove_digests(ngx_http_request_t* r);

}  // namespace larder::ngx
