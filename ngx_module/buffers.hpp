// nginx's buffers.
#pragma once

#include <string_view>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// A buffer over memory that nobody may write to; null if memory is short. A buffer of no bytes is one that only marks a place.
inline ngx_buf_t* memory_buffer(ngx_pool_t* pool, std::string_view bytes) {
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(pool));
    if (buffer == nullptr) return nullptr;
    buffer->pos = reinterpret_cast<u_char*>(const_cast<char*>(bytes.data()));
    buffer->last = buffer->pos + bytes.size();
    buffer->memory = !bytes.empty();
    buffer->sync = bytes.empty();
    return buffer;
}

// Takes what is in the buffers, so that nginx may use them again.
inline void consume(ngx_chain_t* in) {
    for (; in != nullptr; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}

}  // namespace larder::ngx
