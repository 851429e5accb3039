#include "ngx_module/stores/link/transport.hpp"

#include <cstring>
#include <utility>

#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t read_chunk = 64 * 1024;
constexpr std::size_t kept_buffer_bytes = 1u << 20;  // memory that the buffer keeps for the next large entry

char read_buffer[read_chunk];

ngx_int_t begin_at_once(Transport&) {
    return NGX_OK;
}

}  // namespace

const TransportOps plain_transport{begin_at_once, ngx_close_connection};

Transport::Transport(User& user, const TransportOps& ops, ngx_log_t* log) : user_(user), ops_(ops), log_(log) {
    flush_event_.data = this;
    flush_event_.log = log;
    flush_event_.handler = [](ngx_event_t* event) {  // guarded
        on_event<&Transport::flush>(event, static_cast<Transport*>(event->data));
    };
}

bool Transport::open(StoreAddress& address) {
    peer_ = ngx_peer_connection_t{};
    peer_.sockaddr = reinterpret_cast<sockaddr*>(&address.socket);
    peer_.socklen = address.size;
    address_text_ = str(address.text);
    peer_.name = &address_text_;
    peer_.get = ngx_event_get_peer;
    peer_.log = log_;
    peer_.log_error = NGX_ERROR_ERR;
    ngx_int_t rc = ngx_event_connect_peer(&peer_);
    connection_ = peer_.connection;
    if (connection_ == nullptr) return false;
    state_ = State::opening;
    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) return false;
    connection_->data = this;
    connection_->log = log_;
    connection_->read->log = connection_->write->log = log_;
    connection_->read->handler = [](ngx_event_t* event) { on_event<&Transport::read>(event, of(event)); };  // guarded
    connection_->write->handler = [](ngx_event_t* event) { on_event<&Transport::on_writable>(event, of(event)); };  // guarded
    return rc != NGX_OK || begin();
}

void Transport::close() {
    if (connection_ != nullptr) ops_.close(std::exchange(connection_, nullptr));
    if (flush_event_.posted) {
        ngx_delete_posted_event(&flush_event_);
    }
    state_ = State::closed;
    out_.clear();
    out_sent_ = 0;
}

void Transport::write(std::string_view bytes) {
    out_.append(bytes);
    if (state_ == State::open) {
        ngx_post_event(&flush_event_, &ngx_posted_events);
    }
}

bool Transport::begin() {
    ngx_int_t rc = ops_.begin(*this);
    if (rc == NGX_OK) ready();
    return rc == NGX_OK || rc == NGX_AGAIN;
}

void Transport::ready() {
    state_ = State::open;
    ngx_post_event(&flush_event_, &ngx_posted_events);
}

void Transport::on_writable() {
    if (state_ == State::open) return flush();
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connection_->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1) error = ngx_errno;
    if (error != 0) return user_.lost(strerror(error));
    if (!begin()) user_.lost("can't begin");
}

void Transport::flush() {
    while (out_sent_ < out_.size()) {
        ssize_t sent = connection_->send(connection_, reinterpret_cast<u_char*>(out_.data()) + out_sent_,
                                         out_.size() - out_sent_);
        if (sent == NGX_AGAIN) {
            if (ngx_handle_write_event(connection_->write, 0) != NGX_OK) user_.lost("can't wait for the socket");
            return;
        }
        if (sent <= 0) return user_.lost("can't send");
        out_sent_ += static_cast<std::size_t>(sent);
    }
    out_.clear();
    out_sent_ = 0;
    if (out_.capacity() > kept_buffer_bytes) out_.shrink_to_fit();
}

void Transport::read() {
    // Read a bounded amount per turn, as the server may send faster than we read.
    constexpr unsigned most_chunks = 16;
    for (unsigned chunks = 0;; chunks++) {
        if (chunks == most_chunks) {
            ngx_post_event(connection_->read, &ngx_posted_next_events);
            return;
        }
        ssize_t got =
            connection_->recv(connection_, reinterpret_cast<u_char*>(read_buffer), sizeof read_buffer);
        if (got == NGX_AGAIN) break;
        if (got <= 0) return user_.lost(got == 0 ? "it closed the connection" : "can't receive");
        if (!user_.take({read_buffer, static_cast<std::size_t>(got)})) return;
        if (static_cast<std::size_t>(got) < sizeof read_buffer && !connection_->read->ready) break;
    }
    if (ngx_handle_read_event(connection_->read, 0) != NGX_OK) user_.lost("can't wait for the socket");
}

// After an exception it is unknown which bytes were processed, so close the stream.
template <void (Transport::*method)()>
void Transport::on_event(ngx_event_t* event, Transport* transport) noexcept {
    auto call = [transport] {
        (transport->*method)();
        return true;
    };
    auto give_up = [transport] {
        transport->user_.lost("something failed here");
        return true;
    };
    if (!guarded(event->log, "store connection", false, call)) guarded(event->log, "store connection", false, give_up);
}

Transport* Transport::of(ngx_event_t* connections_event) {
    return static_cast<Transport*>(static_cast<ngx_connection_t*>(connections_event->data)->data);
}

}  // namespace larder::ngx
