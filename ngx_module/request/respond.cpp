// Sends a header and one buffer.
#include "ngx_module/request/respond.hpp"

#include "ngx_module/buffers.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view type, std::string_view text) {
    r->headers_out.status = status;
    r->headers_out.content_type = str(type);
    r->headers_out.content_type_len = type.size();
    r->headers_out.content_length_n = static_cast<off_t>(text.size());
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
    ngx_str_t body = copy(r->pool, text);
    ngx_buf_t* buffer = body.data != nullptr ? memory_buffer(r->pool, view(body)) : nullptr;
    if (buffer == nullptr) return NGX_ERROR;
    buffer->last_buf = r == r->main;
    buffer->last_in_chain = 1;
    ngx_chain_t chain{buffer, nullptr};
    return ngx_http_output_filter(r, &chain);
}

}  // namespace larder::ngx
