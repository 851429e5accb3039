// The body filter of a fill: decodes the body, captures it, and passes it on to the client, as ctx->fill says. Work
// that exceeds the budget of one turn of the event loop is done in later turns, by events of ours.
#pragma once

#include <string_view>

#include "cache/response/parts_control.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// For the header filter, once fill.body_for is known: prepares nginx for capturing the whole body. Precondition:
// ctx->fill.
void prepare_capture(ngx_http_request_t* r, Ctx* ctx);
// For a body in the given content coding: decodes it from here on, and adapts the response header. `coding`: see
// Decoder::make().
void start_decoding(ngx_http_request_t* r, Ctx* ctx, std::string_view coding);

// Sends the response header, with Cache-Status. Returns the result of the next header filter. Precondition:
// ctx->fill.
ngx_int_t send_header(ngx_http_request_t* r, Ctx* ctx);
// Sends the header of a page of fragments, unless it was sent before. Returns the result of the next header filter.
ngx_int_t send_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan, const PartsControl& parts);

// The body filter itself. Precondition: ctx->fill.
ngx_int_t fill_body(ngx_http_request_t* r, Ctx* ctx, ngx_chain_t* in);

}  // namespace larder::ngx
