// What a page sends: large pieces as they are, small ones copied together. Buffers are used again once nginx has sent them.
#pragma once

#include <string_view>

#include "edge_includes/budget.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

class PageOutput {
public:
    // What is copied lives in the page's memory, and buffers count as such.
    PageOutput(ngx_http_request_t* r, esi::PageMemory& memory) : request_(r), memory_(memory) {}

    // `text` must stay as it is until the request ends. Throws std::bad_alloc.
    void append(std::string_view text);

    // Sends what was appended; `last`: the page ends with it. The next body filter's return value.
    ngx_int_t send(bool last);

private:
    ngx_buf_t* new_buffer();
    void append_copy(std::string_view text);

    ngx_http_request_t* request_;
    esi::PageMemory& memory_;
    ngx_chain_t* out_ = nullptr;
    ngx_chain_t** end_ = &out_;
    ngx_buf_t* last_ = nullptr;   // of `out_`
    ngx_chain_t* free_ = nullptr;
    ngx_chain_t* busy_ = nullptr;
    u_char* room_ = nullptr;      // for copies
    std::size_t room_size_ = 0;
};

}  // namespace larder::ngx
