// A long-lived, pipelined connection of this worker to one store or queue. Requests of one turn of the event loop are
// sent in one write, and replies arrive in the order of the requests. Nothing blocks.
//
// link_state.hpp has the table of states and transitions. A connection ends if it can't be made or is closed; if the
// input is not valid in the protocol; if a reply is due and nothing arrives for `timeout` (which limits the time
// between reads, not that of a whole reply); or if the server says that it can't serve us (cache/wire/refusals.hpp).
// Then all outstanding requests fail at once, and the link is down. It reconnects by itself, with pauses, so that no
// request has to wait to find out. If the name has several addresses, all are tried before there is a pause, first
// the one that served last. The name is resolved again while the link is up and when it is lost (host_name.hpp).
//
// A connection is used once its greeting was answered: login and choice of database without an error, and a probe.
// The probe is repeated every second. For Redis it is a write, so that the link does not stay with a server that was
// demoted to a replica.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/stores/link/addresses.hpp"
#include "ngx_module/stores/link/greeting.hpp"
#include "ngx_module/stores/link/host_name.hpp"
#include "ngx_module/stores/link/link_state.hpp"
#include "ngx_module/stores/link/transport.hpp"
#include "ngx_module/stores/link/wire.hpp"

namespace larder::ngx {

class Link final : private Transport::User {
public:
    // The endpoint must outlive the link.
    Link(const Endpoint& endpoint, Greeting greeting, ngx_log_t* log);
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    // False while down: requests then fail at once.
    bool available() const { return takes_requests(state_); }

    // Sends `count` complete commands. The handler gets the reply to the last one; replies to the others are only
    // checked for errors. If the server does not know one of the scripts, the handler gets &unknown_script; if the
    // link fails, null. If the link is not available, the handler is called before this returns.
    void send(std::string_view commands, unsigned count, ReplyHandler handler);

    // For a subscriber. The handler is called with every reply first, and returns whether that was a message instead
    // of an answer. It is called with null if the connection is lost.
    void on_push(std::function<bool(const Reply*)> handler) { push_ = std::move(handler); }
    void on_up(std::function<void()> handler) { up_ = std::move(handler); }

    // Connects without waiting for the first request.
    void connect();
    // Closes the connection, as if the server had done it.
    void disconnect(const char* why);

    // Changes with each connection, which may be to another server.
    std::uint64_t generation() const { return generation_; }
    bool is_up() const { return state_ == LinkState::up; }
    const Endpoint& endpoint() const { return endpoint_; }

    static constexpr const char* event_name = "store connection";
    void on_timer();
    void failed() noexcept;

private:
    struct Pending {
        enum class Role : std::uint8_t { login, probe, request };
        Role role;
        unsigned replies;  // still expected
        ngx_msec_t sent;
        ReplyHandler handler;  // of a request
        bool wants_scripts = false;  // the server does not know one of the scripts
    };

    void enter(LinkEvent event);
    void use(std::vector<StoreAddress> addresses);
    void open_first();
    void open();
    void greet();
    void welcomed();
    void lost(std::string why) override;
    void fail(const std::deque<Pending>& failed);
    void log_loss(bool was_available, const std::string& why);
    void drop_connection();
    void probe_again();
    bool take(std::string_view bytes) override;
    void take_replies();
    void take_reply(const Reply& reply);
    void note_refusal(std::string_view error);
    void tell(const ReplyHandler& handler, const Reply* reply);
    void set_timer(ngx_msec_t ms);
    void schedule_timer();
    ngx_msec_int_t patience_left() const;

    const Endpoint& endpoint_;
    Greeting greeting_;
    ngx_log_t* log_;
    Transport transport_;
    LinkState state_ = LinkState::idle;
    Addresses<StoreAddress> addresses_;
    std::uint64_t generation_ = 0;
    HostName host_name_;
    std::unique_ptr<Wire> wire_;
    std::string held_;  // requests to send once the greeting is answered
    std::deque<Pending> pending_;
    unsigned requests_due_ = 0;  // number of requests in pending_
    ngx_event_t timer_event_{};
    std::function<bool(const Reply*)> push_;
    std::function<void()> up_;
    unsigned failures_ = 0;  // since the link was last up for a while
    ngx_msec_t up_since_ = 0, last_read_ = 0, last_probe_ = 0;
    std::string last_loss_;  // as logged
    std::string last_refusal_;
    ngx_msec_t refusal_logged_ = 0;
};

}  // namespace larder::ngx
