// Helpers for nginx's buffers.
#pragma once

#include <string_view>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// A buffer over read-only memory, which must outlive it; null if out of memory. Without bytes it is a special buffer,
// for flags alone.
inline ngx_buf_t* memory_buffer(ngx_pool_t* pool, std::string_view bytes) {
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(pool));
    if (buffer == nullptr) return nullptr;
    buffer->pos = reinterpret_cast<u_char*>(const_cast<char*>(bytes.data()));
    buffer->last = buffer->pos + bytes.size();
    buffer->memory = !bytes.empty();
    buffer->sync = bytes.empty();
    return buffer;
}

// Marks the buffers as consumed, so that nginx may reuse them.
inline void consume(ngx_chain_t* in) {
    for (; in != nullptr; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}

}  // namespace larder::ngx
