// A byte stream to one address, on nginx's event loop. Nothing blocks. All bytes written in one turn of the event
// loop are sent together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ngx_module/ngx.hpp"
#include "ngx_module/stores/link/host_name.hpp"

namespace larder::ngx {

class Transport;

// What differs between kinds of streams. Sending and receiving don't belong here: each ngx_connection_t has functions
// for that, which nginx's TLS replaces.
struct TransportOps {
    // Called when the TCP connection is established. NGX_OK: bytes may be sent; NGX_AGAIN: Transport::ready() will be
    // called later; NGX_ERROR: failed.
    ngx_int_t (*begin)(Transport& transport);
    void (*close)(ngx_connection_t* connection);
};
extern const TransportOps plain_transport;

class Transport {
public:
    // The user of the stream. From each of these calls it may close the stream, or open it again.
    class User {
    public:
        // Gets received bytes. Returns false if the stream that they came from was closed.
        virtual bool take(std::string_view bytes) = 0;
        // The stream has failed. The user closes it.
        virtual void lost(std::string why) = 0;

    protected:
        ~User() = default;
    };

    // The arguments must outlive the transport.
    Transport(User& user, const TransportOps& ops, ngx_log_t* log);
    ~Transport() { close(); }
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    // Connects. False: that failed.
    bool open(StoreAddress& address);
    void close();
    bool is_closed() const { return state_ == State::closed; }

    // Reserves memory, so that a write() of this many bytes can't fail.
    void make_room(std::size_t bytes) { out_.reserve(out_.size() + bytes); }
    // Sends the bytes at the end of this turn, or when the stream is ready.
    void write(std::string_view bytes);

    ngx_connection_t* connection() const { return connection_; }
    // Called by TransportOps: bytes may be sent from now on.
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
    std::string out_;  // bytes to send; out_sent_ of them are sent already
    std::size_t out_sent_ = 0;
};

}  // namespace larder::ngx
