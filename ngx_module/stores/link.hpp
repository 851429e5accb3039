// A long-lived, pipelined connection of this worker to one store or queue. Requests of one turn of the event loop leave in
// one write; replies come in the order of the requests. Nothing blocks.
//
// A link that fails or stays silent past its timeout (large answers may take longer, as long as they come) fails everything outstanding at once, and is down until a probe of its
// own got an answer: requests don't pay for finding out.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/ngx.hpp"

struct redisReply;

namespace larder::ngx {

struct Reply {
    enum class Kind : std::uint8_t { status, error, integer, nil, bytes, array };
    Kind kind = Kind::nil;
    std::string_view text;  // status, error, bytes; valid during the call
    long long integer = 0;
    const redisReply* tree = nullptr;  // array (Redis)
};

// Given the reply, or null when the link failed.
using ReplyHandler = std::function<void(const Reply*)>;

// A protocol: bytes to replies.
class Wire {
public:
    virtual ~Wire() = default;
    virtual void feed(std::string_view bytes) = 0;
    enum class Next : std::uint8_t { reply, need_more, broken };
    virtual Next next(Reply& reply) = 0;
};

std::unique_ptr<Wire> make_wire(StoreKind kind);

// Appends a Redis command (RESP array of bulk strings). An element may be given in two pieces.
void redis_command(std::string& out, std::initializer_list<std::string_view> words);

class Link {
public:
    // `hello`: commands to send first on each connection; each must be answered without an error. `probe`: what to ask a store
    // that was down. The endpoint must outlive the link.
    struct Greeting {
        std::string commands;
        unsigned replies = 0;
        std::string probe;
    };

    Link(const Endpoint& endpoint, Greeting greeting, ngx_log_t* log);
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    // False while down: then don't send.
    bool available() const { return state_ != State::down && state_ != State::probing; }

    // Appends `count` complete commands; the handler gets the reply of the last, earlier ones' are only looked at for errors.
    // Precondition: available().
    void send(std::string_view commands, unsigned count, ReplyHandler handler);

    // For a subscriber: is shown every reply first, and says whether it was a message rather than an answer. Also told (null)
    // when the connection is lost.
    void on_push(std::function<bool(const Reply*)> handler) { push_ = std::move(handler); }
    void on_up(std::function<void()> handler) { up_ = std::move(handler); }

    // Connects without waiting for a first request.
    void connect();

    const Endpoint& endpoint() const { return endpoint_; }

private:
    enum class State : std::uint8_t { idle, connecting, up, down, probing };
    struct Pending {
        ReplyHandler handler;
        ngx_msec_t sent;
        bool quiet;  // an earlier command of several
    };

    void open();
    void close(const char* why);
    void flush();
    void read();
    bool take(std::string_view bytes);
    void take_replies();
    void schedule_timer();
    ngx_msec_int_t patience_left() const;
    void on_timer();
    void went_up();

    static void read_event(ngx_event_t* event);
    static void write_event(ngx_event_t* event);
    static void flush_event(ngx_event_t* event);
    static void timer_event(ngx_event_t* event);

    const Endpoint& endpoint_;
    Greeting greeting_;
    ngx_log_t* log_;
    ngx_peer_connection_t peer_{};
    ngx_connection_t* connection_ = nullptr;
    State state_ = State::idle;
    std::unique_ptr<Wire> wire_;
    std::string out_;
    std::size_t out_sent_ = 0;
    std::deque<Pending> pending_;
    ngx_event_t flush_event_{};
    ngx_event_t timer_event_{};
    std::function<bool(const Reply*)> push_;
    std::function<void()> up_;
    unsigned failures_ = 0;
    ngx_msec_t last_read_ = 0;
    bool connected_ = false;
};

}  // namespace larder::ngx
