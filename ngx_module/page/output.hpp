// The output of a page. Large pieces are sent from where they are, small ones are copied together. Buffers are reused
// once nginx has sent them.
#pragma once

#include <string_view>

#include "edge_includes/budget.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

class PageOutput {
public:
    // Copies and buffers count as the page's memory.
    PageOutput(ngx_http_request_t* r, esi::PageMemory& memory) : request_(r), memory_(memory) {}

    // `text` must not change or move until the request ends. Throws std::bad_alloc.
    void append(std::string_view text);

    // Sends what was appended. `last`: this ends the page. Returns the result of the next body filter.
    ngx_int_t send(bool last);

private:
    ngx_buf_t* new_buffer();
    void append_copy(std::string_view text);

    ngx_http_request_t* request_;
    esi::PageMemory& memory_;
    ngx_chain_t* out_ = nullptr;
    ngx_chain_t** end_ = &out_;
    ngx_buf_t* last_ = nullptr;   // the last buffer of `out_`
    ngx_chain_t* free_ = nullptr;
    ngx_chain_t* busy_ = nullptr;
    u_char* room_ = nullptr;      // free space for copies
    std::size_t room_size_ = 0;
};

}  // namespace larder::ngx
