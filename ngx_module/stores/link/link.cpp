// Requests and replies, and the handling of servers that don't answer.
#include "ngx_module/stores/link/link.hpp"

#include <algorithm>
#include <vector>

#include "cache/wire/refusals.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr ngx_msec_t first_retry_ms = 100, longest_retry_ms = 1000;
constexpr ngx_msec_t probe_interval_ms = 1000;
constexpr ngx_msec_t same_refusal_ms = 10'000;  // between two log lines with the same refusal

std::vector<StoreAddress> addresses_of(const Endpoint& endpoint) {
    std::vector<StoreAddress> addresses;
    for (const ngx_addr_t& known : endpoint.addresses) addresses.emplace_back(known.sockaddr, known.socklen);
    return addresses;
}

}  // namespace

Link::Link(const Endpoint& endpoint, Greeting greeting, ngx_log_t* log)
    : endpoint_(endpoint),
      greeting_(std::move(greeting)),
      log_(log),
      transport_(*this, plain_transport, log),
      addresses_(addresses_of(endpoint)),
      host_name_(endpoint, log, [this](std::vector<StoreAddress> addresses) { use(std::move(addresses)); }) {
    timer_event_.data = this;
    timer_event_.log = log;
    timer_event_.handler = event_handler<&Link::on_timer>;  // guarded
}

Link::~Link() {
    drop_connection();
    state_ = LinkState::down;  // handlers that end with it find it unavailable
    pending_.clear();
    if (timer_event_.timer_set) ngx_del_timer(&timer_event_);
}

void Link::enter(LinkEvent event) {
    state_ = next_state(state_, event);
}

void Link::connect() {
    if (state_ != LinkState::idle) return;
    enter(LinkEvent::wanted);
    open_first();
    host_name_.ask();
}

void Link::disconnect(const char* why) {
    lost(why);
}

void Link::open_first() {
    addresses_.begin_round();
    open();
}

void Link::open() {
    wire_ = make_wire(endpoint_.kind);
    generation_++;
    if (!transport_.open(addresses_.current())) return lost("can't connect");
    greet();
}

void Link::greet() {
    transport_.write(greeting_.login + greeting_.probe);
    if (greeting_.logins > 0)
        pending_.push_back({Pending::Role::login, greeting_.logins, ngx_current_msec, nullptr});
    pending_.push_back({Pending::Role::probe, 1, ngx_current_msec, nullptr});
    last_probe_ = ngx_current_msec;
    schedule_timer();
}

void Link::welcomed() {
    if (state_ == LinkState::probing)
        ngx_log_error(NGX_LOG_NOTICE, log_, 0, "larder: %s is back", endpoint_.url.c_str());
    enter(LinkEvent::welcomed);
    up_since_ = ngx_current_msec;
    last_loss_.clear();
    transport_.write(held_);
    held_.clear();
    if (up_) up_();
}

void Link::drop_connection() {
    transport_.close();
    held_.clear();
    requests_due_ = 0;
}

void Link::lost(std::string why) {
    if (!has_connection(state_)) return;
    bool was_available = available(), was_up = state_ == LinkState::up;
    if (addresses_.are_several()) why = addresses_.current().text + ": " + why;
    drop_connection();
    std::deque<Pending> failed = std::exchange(pending_, {});
    if (!was_up && addresses_.try_next()) {
        ngx_log_error(NGX_LOG_NOTICE, log_, 0, "larder: %s: %s", endpoint_.url.c_str(), why.c_str());
        open();
        return fail(failed);
    }
    // Only a connection that lasted resets the count, so that short ones don't follow each other quickly.
    if (was_up && ngx_current_msec - up_since_ > longest_retry_ms) failures_ = 0;
    enter(LinkEvent::lost);
    if (timer_event_.timer_set) ngx_del_timer(&timer_event_);
    set_timer(std::min(longest_retry_ms, first_retry_ms << std::min(failures_++, 4u)));
    log_loss(was_available, why);
    host_name_.ask();
    fail(failed);
    if (push_) tell([this](const Reply* none) { push_(none); }, nullptr);
}

void Link::use(std::vector<StoreAddress> addresses) {
    const std::string was = addresses_.current().text;
    if (addresses_.replace(std::move(addresses))) return;
    ngx_log_error(NGX_LOG_NOTICE, log_, 0, "larder: %s is at %s now, and no longer at %s", endpoint_.url.c_str(),
                  addresses_.current().text.c_str(), was.c_str());
    disconnect("its name leads elsewhere now");
}

void Link::fail(const std::deque<Pending>& failed) {
    for (const Pending& pending : failed) {
        if (pending.role == Pending::Role::request) tell(pending.handler, nullptr);
    }
}

void Link::log_loss(bool was_available, const std::string& why) {
    if (!was_available && why == last_loss_) return;
    ngx_log_error(NGX_LOG_WARN, log_, 0, "larder: %s is %sdown: %s", endpoint_.url.c_str(),
                  was_available ? "" : "still ", why.c_str());
    last_loss_ = why;
}

void Link::send(std::string_view commands, unsigned count, ReplyHandler handler) {
    if (state_ == LinkState::idle) connect();
    if (!available()) return tell(handler, nullptr);
    if (state_ == LinkState::up && ngx_current_msec - last_probe_ >= probe_interval_ms) probe_again();
    // Reserve memory first, so that the bytes sent and the replies expected stay in step.
    if (state_ == LinkState::up)
        transport_.make_room(commands.size());
    else
        held_.reserve(held_.size() + commands.size());
    pending_.push_back({Pending::Role::request, count, ngx_current_msec, std::move(handler)});
    if (state_ == LinkState::up)
        transport_.write(commands);
    else
        held_.append(commands);
    requests_due_++;
    schedule_timer();
}

// Precondition: the link is up.
void Link::probe_again() {
    transport_.write(greeting_.keep_alive);
    pending_.push_back({Pending::Role::probe, 1, ngx_current_msec, nullptr});
    last_probe_ = ngx_current_msec;
}

// A timer that is set is moved only if it would expire too late: mostly there is nothing to do.
void Link::set_timer(ngx_msec_t ms) {
    // A worker that shuts down waits only for replies to requests.
    timer_event_.cancelable = requests_due_ == 0;
    auto later_ms = static_cast<ngx_msec_int_t>(timer_event_.timer.key - (ngx_current_msec + ms));
    if (!timer_event_.timer_set || later_ms > 0) ngx_add_timer(&timer_event_, ms);
}

// Sets the timer for late replies, or else for the next probe.
void Link::schedule_timer() {
    if (!pending_.empty())
        set_timer(static_cast<ngx_msec_t>(std::max<ngx_msec_int_t>(patience_left(), 1)));
    else if (state_ == LinkState::up)
        set_timer(probe_interval_ms);
}

// Milliseconds until the oldest request has waited too long without any input. Precondition: one is pending.
ngx_msec_int_t Link::patience_left() const {
    auto waited = static_cast<ngx_msec_int_t>(ngx_current_msec - pending_.front().sent);
    auto silent = static_cast<ngx_msec_int_t>(ngx_current_msec - last_read_);
    return static_cast<ngx_msec_int_t>(endpoint_.timeout) - std::min(waited, silent);
}

void Link::failed() noexcept {
    guarded(log_, event_name, 0, [this] {
        disconnect("something failed here");
        return 0;
    });
}

void Link::on_timer() {
    if (state_ == LinkState::down) {
        enter(LinkEvent::retry);
        return open_first();
    }
    if (!pending_.empty() && patience_left() <= 0) return lost("no answer in time");
    if (pending_.empty() && state_ == LinkState::up &&
        ngx_current_msec - last_probe_ >= probe_interval_ms) {
        probe_again();
    }
    schedule_timer();
}

bool Link::take(std::string_view bytes) {
    // hiredis moves the rest of its buffer after each reply, so feed it small pieces.
    constexpr std::size_t helping = 4096;
    std::uint64_t generation = generation_;
    auto still_here = [&] { return !transport_.is_closed() && generation_ == generation; };
    last_read_ = ngx_current_msec;
    while (!bytes.empty() && still_here()) {
        std::size_t size = std::min(bytes.size(), helping);
        wire_->feed(bytes.substr(0, size));
        bytes.remove_prefix(size);
        take_replies();
    }
    if (!still_here()) return false;
    schedule_timer();
    return true;
}

namespace {

Refusal judge(StoreKind kind, std::string_view error) {
    return kind == StoreKind::memcached ? memcached_refusal(error) : redis_refusal(error);
}

bool is_error(const Reply& reply) {
    return reply.kind == Reply::Kind::error;
}

// The server's text, made fit for a log line.
std::string printable(std::string_view text) {
    std::string made(text.substr(0, 200));
    for (char& c : made) {
        if (c < 0x20 || c == 0x7f) c = '?';
    }
    return made;
}

std::string quoted(std::string_view error) {
    return "it said \"" + printable(error) + "\"";
}

}  // namespace

void Link::take_replies() {
    std::uint64_t generation = generation_;
    while (!transport_.is_closed() && generation_ == generation) {
        Reply reply;
        Wire::Next next = wire_->next(reply);
        if (next == Wire::Next::need_more) return;
        if (next == Wire::Next::broken) return lost("it does not speak its protocol");
        if (push_ && push_(&reply)) continue;
        if (pending_.empty()) return lost(is_error(reply) ? quoted(reply.text) : "it sent what nobody asked for");
        take_reply(reply);
    }
}

// Precondition: a reply is expected.
void Link::take_reply(const Reply& reply) {
    const Pending::Role role = pending_.front().role;
    if (is_error(reply)) {
        const Refusal refusal = judge(endpoint_.kind, reply.text);
        if (role == Pending::Role::login || refusal == Refusal::connection) return lost(quoted(reply.text));
        if (refusal == Refusal::script)
            pending_.front().wants_scripts = true;
        else
            note_refusal(reply.text);
    }
    if (--pending_.front().replies > 0) return;
    Pending pending = std::move(pending_.front());
    pending_.pop_front();
    if (role == Pending::Role::request) {
        requests_due_--;
        tell(pending.handler, pending.wants_scripts ? &unknown_script : &reply);
    } else if (role == Pending::Role::probe && state_ != LinkState::up) {
        welcomed();
    }
}

void Link::note_refusal(std::string_view error) {
    count(near_cache::Counter::store_refused);
    std::string text = printable(error);
    std::string code = text.substr(0, text.find(' '));
    if (code == last_refusal_ && ngx_current_msec - refusal_logged_ < same_refusal_ms) return;
    ngx_log_error(NGX_LOG_ERR, log_, 0, "larder: %s refused a command: %s", endpoint_.url.c_str(), text.c_str());
    last_refusal_ = code;
    refusal_logged_ = ngx_current_msec;
}

// An exception in one handler must not keep others from their replies.
void Link::tell(const ReplyHandler& handler, const Reply* reply) {
    guarded(log_, "answer of a store", 0, [&] {
        handler(reply);
        return 0;
    });
}

}  // namespace larder::ngx
