// The body filter of a fill: the body is decoded and kept, and goes on to the client, as ctx->fill says. What is more than one turn of the
// event loop has room for is taken in later turns, by events of ours.
#pragma once

#include <string_view>

#include "cache/response/parts_control.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// In the header filter, once it is known what the body is for. Precondition: ctx->fill.
void prepare_capture(ngx_http_request_t* r, Ctx* ctx);
// The same, for a body in this content coding: from here on the answer is what its coding stands for.
void start_decoding(ngx_http_request_t* r, Ctx* ctx, std::string_view coding);

// Sends the answer's header, with Cache-Status. Returns what the next header filter does. Precondition: ctx->fill.
ngx_int_t send_header(ngx_http_request_t* r, Ctx* ctx);
// Sends the header of a page of fragments, unless it was sent. Returns what the next header filter does.
ngx_int_t send_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan, const PartsControl& parts);

// The body filter. Precondition: ctx->fill.
ngx_int_t fill_body(ngx_http_request_t* r, Ctx* ctx, ngx_chain_t* in);

}  // namespace larder::ngx
