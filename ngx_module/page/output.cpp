// Buffers are reused by nginx's own method: it returns those with our tag when the filters have sent them.
#include "ngx_module/page/output.hpp"

#include <algorithm>
#include <new>

#include "ngx_module/request/filters.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t smallest_alone = 256;  // bytes; a buffer costs about half as much memory
constexpr std::size_t room_step = 4096;

ngx_buf_tag_t tag() {
    return reinterpret_cast<ngx_buf_tag_t>(&ngx_http_larder_module);
}

}  // namespace

// Appends a buffer to the output chain.
ngx_buf_t* PageOutput::new_buffer() {
    if (free_ == nullptr) memory_.add(sizeof(ngx_buf_t) + sizeof(ngx_chain_t));
    ngx_chain_t* link = ngx_chain_get_free_buf(request_->pool, &free_);
    if (link == nullptr) throw std::bad_alloc();
    ngx_memzero(link->buf, sizeof(ngx_buf_t));
    link->buf->tag = tag();
    link->next = nullptr;
    *end_ = link;
    end_ = &link->next;
    last_ = link->buf;
    return last_;
}

void PageOutput::append(std::string_view text) {
    if (text.empty()) return;
    if (text.size() < smallest_alone) return append_copy(text);
    ngx_buf_t* buffer = new_buffer();
    buffer->pos = reinterpret_cast<u_char*>(const_cast<char*>(text.data()));
    buffer->last = buffer->pos + text.size();
    buffer->memory = 1;
}

void PageOutput::append_copy(std::string_view text) {
    if (text.size() > room_size_) {
        room_ = static_cast<u_char*>(memory_.allocate(room_step, 1));
        room_size_ = room_step;
    }
    ngx_buf_t* buffer = last_;
    if (buffer == nullptr || buffer->last != room_) {
        buffer = new_buffer();
        buffer->pos = buffer->last = room_;
        buffer->memory = 1;
    }
    buffer->last = room_ = ngx_cpymem(room_, text.data(), text.size());
    room_size_ -= text.size();
}

ngx_int_t PageOutput::send(bool last) {
    if (out_ == nullptr && !last) return NGX_OK;
    if (out_ == nullptr) new_buffer()->sync = 1;
    if (last) {
        last_->last_buf = request_ == request_->main;
        last_->last_in_chain = 1;
    } else {
        last_->flush = 1;
    }
    ngx_int_t rc = next_body_filter(request_, out_);
    ngx_chain_update_chains(request_->pool, &free_, &busy_, &out_, tag());
    end_ = &out_;
    last_ = nullptr;
    return rc;
}

}  // namespace larder::ngx
