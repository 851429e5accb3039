// A stream of bytes to one address, on nginx's event loop. Nothing blocks. What is written in one turn of the event loop leaves in
// one send.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ngx_module/ngx.hpp"
#include "ngx_module/stores/link/host_name.hpp"

namespace larder::ngx {

class Transport;

// What differs between kinds of streams. Sending and receiving are no part of it: each ngx_connection_t has functions of its own for
// that, which nginx's TLS replaces.
struct TransportOps {
    // TCP's handshake is over. NGX_OK: bytes may be sent; NGX_AGAIN: later, Transport::ready() will be called; NGX_ERROR.
    ngx_int_t (*begin)(Transport& transport);
    void (*close)(ngx_connection_t* connection);
};
extern const TransportOps plain_transport;

class Transport {
public:
    // Who uses the stream. Each call may close it, or open it again.
    class User {
    public:
        // False: the stream of these bytes is gone.
        virtual bool take(std::string_view bytes) = 0;
        // The stream is of no more use. The user closes it.
        virtual void lost(std::string why) = 0;

    protected:
        ~User() = default;
    };

    // All three must outlive the transport.
    Transport(User& user, const TransportOps& ops, ngx_log_t* log);
    ~Transport() { close(); }
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    // Connects. False: it can't.
    bool open(StoreAddress& address);
    void close();
    bool is_closed() const { return state_ == State::closed; }

    // Sees to it that a write() of so many bytes does not fail.
    void make_room(std::size_t bytes) { out_.reserve(out_.size() + bytes); }
    // The bytes leave at the end of this turn, or once bytes may be sent.
    void write(std::string_view bytes);

    ngx_connection_t* connection() const { return connection_; }
    // For TransportOps: bytes may be sent now.
    void ready();

private:
    enum class State : std::uint8_t { closed, opening, open };

    bool begin();
    void flush();
    void read();
    void on_writable();

    template <void (Transport::*method)()>
    static void on_event(ngx_event_t* event, Transport* transport) noexcept;
    static Transport* of(ngx_event_t* connections_event);

    User& user_;
    const TransportOps& ops_;
    ngx_log_t* log_;
    State state_ = State::closed;
    ngx_peer_connection_t peer_{};
    ngx_str_t address_text_{};
    ngx_connection_t* connection_ = nullptr;
    ngx_event_t flush_event_{};
    std::string out_;  // to be sent; in front of it what was sent already
    std::size_t out_sent_ = 0;
};

}  // namespace larder::ngx
