// A long-lived, pipelined connection of this worker to one store or queue. Requests of one turn of the event loop leave in
// one write; replies come in the order of the requests. Nothing blocks.
//
// The link's states and transitions are the table of link_state.hpp. What ends a connection: it can't be made, it is closed,
// what comes is not the protocol, nothing comes for `timeout` although a reply is due (the timeout is between reads, not for
// a whole reply), or the server says that it can't serve us (cache/wire/refusals.hpp). Then everything outstanding fails at once
// and the link is down; it tries again by itself, after a pause, and requests don't pay for finding out. Of a name with several
// addresses each is tried, the one that served last first, before there is a pause. The name is looked up again while the link is
// up and when it is lost (host_name.hpp).
//
// A connection is used once its greeting was answered: login and choice of database without any error, and a probe. The probe is
// repeated every second. Redis' probe is a write, so that a link does not stay with a server that was demoted to a replica.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/ngx.hpp"
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

    // False while down: what is sent then fails at once.
    bool available() const { return takes_requests(state_); }

    // Sends `count` complete commands. The handler gets the reply of the last; earlier ones' are only looked at for errors. If the
    // server wants one of the scripts in full, the handler gets &unknown_script. When the link is not available, the handler is
    // called before this returns.
    void send(std::string_view commands, unsigned count, ReplyHandler handler);

    // For a subscriber: is shown every reply first, and says whether it was a message rather than an answer. Also told (null)
    // when the connection is lost.
    void on_push(std::function<bool(const Reply*)> handler) { push_ = std::move(handler); }
    void on_up(std::function<void()> handler) { up_ = std::move(handler); }

    // Connects without waiting for a first request.
    void connect();
    // Gives up the connection, as if the server had closed it.
    void disconnect(const char* why);

    // Another value: another connection, maybe to another server.
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
        unsigned replies;  // still to come
        ngx_msec_t sent;
        ReplyHandler handler;  // of a request
        bool wants_scripts = false;  // the server does not know one by its digest
    };

    void enter(LinkEvent event);
    StoreAddress& address() { return addresses_[address_]; }
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
    std::vector<StoreAddress> addresses_;  // at least one
    std::size_t address_ = 0;  // of these: the one in use, or that served last
    std::size_t tried_ = 0;    // how many of them, in this round
    std::uint64_t generation_ = 0;
    HostName host_name_;
    std::unique_ptr<Wire> wire_;
    std::string held_;  // requests to be sent once the greeting is answered
    std::deque<Pending> pending_;
    unsigned requests_due_ = 0;  // of pending_
    ngx_event_t timer_event_{};
    std::function<bool(const Reply*)> push_;
    std::function<void()> up_;
    unsigned failures_ = 0;  // since the link was last up for some time
    ngx_msec_t up_since_ = 0, last_read_ = 0, last_probe_ = 0;
    std::string last_loss_;  // as logged
    std::string last_refusal_;
    ngx_msec_t refusal_logged_ = 0;
};

}  // namespace larder::ngx
