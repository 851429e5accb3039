// Sockets on nginx's event loop, protocols by hiredis' reader and our memcached reader.
#include "ngx_module/stores/link.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <vector>

#include "cache/wire/memcached_wire.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t read_chunk = 64 * 1024;
constexpr std::size_t max_reply_bytes = 600u << 20;  // above every legal entry
constexpr ngx_msec_t first_retry_ms = 100, longest_retry_ms = 1000;

char read_buffer[read_chunk];

class RedisWire final : public Wire {
public:
    RedisWire() : reader_(redisReaderCreate()) {
        if (reader_ == nullptr) throw std::bad_alloc();
        reader_->maxbuf = 0;  // keep the buffer however large it has become
    }
    ~RedisWire() override {
        freeReplyObject(reply_);
        redisReaderFree(reader_);
    }
    RedisWire(const RedisWire&) = delete;
    RedisWire& operator=(const RedisWire&) = delete;

    void feed(std::string_view bytes) override {
        if (reader_->len + bytes.size() > max_reply_bytes)
            broken_ = true;
        else
            broken_ = broken_ || redisReaderFeed(reader_, bytes.data(), bytes.size()) != REDIS_OK;
    }

    Next next(Reply& reply) override {
        freeReplyObject(reply_);
        reply_ = nullptr;
        void* raw = nullptr;
        if (broken_ || redisReaderGetReply(reader_, &raw) != REDIS_OK) return Next::broken;
        if (raw == nullptr) return Next::need_more;
        reply_ = static_cast<redisReply*>(raw);
        reply = Reply{};
        reply.tree = reply_;
        switch (reply_->type) {
            case REDIS_REPLY_STATUS:
                reply.kind = Reply::Kind::status;
                break;
            case REDIS_REPLY_ERROR:
                reply.kind = Reply::Kind::error;
                break;
            case REDIS_REPLY_INTEGER:
                reply.kind = Reply::Kind::integer;
                break;
            case REDIS_REPLY_STRING:
                reply.kind = Reply::Kind::bytes;
                break;
            case REDIS_REPLY_ARRAY:
                reply.kind = Reply::Kind::array;
                break;
            default:
                reply.kind = Reply::Kind::nil;
                break;
        }
        if (reply_->str != nullptr) reply.text = {reply_->str, static_cast<std::size_t>(reply_->len)};
        reply.integer = reply_->integer;
        return Next::reply;
    }

private:
    redisReader* reader_;
    redisReply* reply_ = nullptr;
    bool broken_ = false;
};

class MemcachedWire final : public Wire {
public:
    void feed(std::string_view bytes) override { reader_.feed(bytes); }

    Next next(Reply& reply) override {
        MemcachedReply got;
        switch (reader_.next(got)) {
            case MemcachedReader::Next::need_more:
                return Next::need_more;
            case MemcachedReader::Next::broken:
                return Next::broken;
            case MemcachedReader::Next::reply:
                break;
        }
        reply = Reply{};
        reply.text = got.text;
        switch (got.kind) {
            case MemcachedReply::Kind::value:
                reply.kind = Reply::Kind::bytes;
                break;
            case MemcachedReply::Kind::error:
                reply.kind = Reply::Kind::error;
                break;
            case MemcachedReply::Kind::done:
                reply.kind = Reply::Kind::status;
                break;
            default:
                reply.kind = Reply::Kind::nil;
                break;
        }
        return Next::reply;
    }

private:
    MemcachedReader reader_{max_reply_bytes};
};

}  // namespace

std::unique_ptr<Wire> make_wire(StoreKind kind) {
    if (kind == StoreKind::memcached) return std::make_unique<MemcachedWire>();
    return std::make_unique<RedisWire>();
}

void redis_command(std::string& out, std::initializer_list<std::string_view> words) {
    out.append("*").append(std::to_string(words.size())).append("\r\n");
    for (std::string_view word : words) {
        out.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
    }
}

Link::Link(const Endpoint& endpoint, Greeting greeting, ngx_log_t* log)
    : endpoint_(endpoint), greeting_(std::move(greeting)), log_(log) {
    flush_event_.handler = flush_event;
    flush_event_.data = this;
    flush_event_.log = log;
    timer_event_.handler = timer_event;
    timer_event_.data = this;
    timer_event_.log = log;
}

Link::~Link() {
    push_ = nullptr;
    if (flush_event_.posted) {
        ngx_delete_posted_event(&flush_event_);
    }
    if (timer_event_.timer_set) ngx_del_timer(&timer_event_);
    if (connection_ != nullptr) ngx_close_connection(connection_);
}

void Link::connect() {
    if (state_ == State::idle) {
        state_ = State::connecting;
        open();
    }
}

void Link::open() {
    peer_ = ngx_peer_connection_t{};
    peer_.sockaddr = endpoint_.address.sockaddr;
    peer_.socklen = endpoint_.address.socklen;
    peer_.name = const_cast<ngx_str_t*>(&endpoint_.address.name);
    peer_.get = ngx_event_get_peer;
    peer_.log = log_;
    peer_.log_error = NGX_ERROR_ERR;
    wire_ = make_wire(endpoint_.kind);
    out_.clear();
    out_sent_ = 0;
    connected_ = false;
    ngx_int_t rc = ngx_event_connect_peer(&peer_);
    connection_ = peer_.connection;
    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED || connection_ == nullptr)
        return close("can't connect");
    connection_->data = this;
    connection_->log = log_;
    connection_->read->log = connection_->write->log = log_;
    connection_->read->handler = read_event;
    connection_->write->handler = write_event;
    std::string first = greeting_.commands;
    unsigned replies = greeting_.replies;
    if (state_ == State::probing) {
        first += greeting_.probe;
        replies++;
    }
    for (unsigned i = 0; i < replies; i++) {
        pending_.push_back({[this](const Reply* reply) {
                                if (reply != nullptr && reply->kind == Reply::Kind::error) {
                                    ngx_log_error(NGX_LOG_ERR, log_, 0, "larder: %s refused us: %s",
                                                  endpoint_.url.c_str(), std::string(reply->text).c_str());
                                }
                            },
                            ngx_current_msec, false});
    }
    out_ = std::move(first);
    if (state_ == State::connecting) state_ = State::up;
    schedule_timer();
    if (rc == NGX_OK) {
        connected_ = true;
        if (up_ && state_ == State::up) up_();
        ngx_post_event(&flush_event_, &ngx_posted_events);
    }
}

void Link::close(const char* why) {
    bool was_serving = state_ == State::up || state_ == State::connecting;
    if (was_serving)
        ngx_log_error(NGX_LOG_WARN, log_, 0, "larder: %s is down: %s", endpoint_.url.c_str(), why);
    if (connection_ != nullptr) ngx_close_connection(std::exchange(connection_, nullptr));
    if (flush_event_.posted) {
        ngx_delete_posted_event(&flush_event_);
    }
    state_ = State::down;
    failures_++;
    out_.clear();
    std::deque<Pending> failed = std::exchange(pending_, {});
    if (timer_event_.timer_set) ngx_del_timer(&timer_event_);
    timer_event_.cancelable = 1;
    ngx_add_timer(&timer_event_, std::min(longest_retry_ms, first_retry_ms << std::min(failures_ - 1, 4u)));
    for (Pending& pending : failed) {
        if (!pending.quiet) pending.handler(nullptr);
    }
    if (push_) push_(nullptr);
}

void Link::went_up() {
    if (state_ != State::probing) return;
    state_ = State::up;
    failures_ = 0;
    ngx_log_error(NGX_LOG_NOTICE, log_, 0, "larder: %s is back", endpoint_.url.c_str());
    if (up_) up_();
}

void Link::send(std::string_view commands, unsigned count, ReplyHandler handler) {
    if (state_ == State::idle) connect();
    if (!available()) return handler(nullptr);
    out_.append(commands);
    for (unsigned i = 1; i < count; i++) pending_.push_back({nullptr, ngx_current_msec, true});
    pending_.push_back({std::move(handler), ngx_current_msec, false});
    schedule_timer();
    if (connected_) {
        ngx_post_event(&flush_event_, &ngx_posted_events);
    }
}

void Link::schedule_timer() {
    if (pending_.empty()) {
        if (timer_event_.timer_set) ngx_del_timer(&timer_event_);
        return;
    }
    if (!timer_event_.timer_set) {
        // A worker that shuts down waits for answers to requests, not for a store to come back.
        timer_event_.cancelable = state_ == State::probing;
        ngx_add_timer(&timer_event_, static_cast<ngx_msec_t>(std::max<ngx_msec_int_t>(patience_left(), 1)));
    }
}

// Milliseconds until the oldest request has waited too long with nothing coming in. Precondition: one is pending.
ngx_msec_int_t Link::patience_left() const {
    auto waited = static_cast<ngx_msec_int_t>(ngx_current_msec - pending_.front().sent);
    auto silent = static_cast<ngx_msec_int_t>(ngx_current_msec - last_read_);
    return static_cast<ngx_msec_int_t>(endpoint_.timeout) - std::min(waited, silent);
}

void Link::on_timer() {
    if (state_ == State::down) {
        state_ = State::probing;
        return open();
    }
    if (pending_.empty()) return;
    if (patience_left() > 0) return schedule_timer();
    close("no answer in time");
}

void Link::flush() {
    if (connection_ == nullptr || !connected_) return;
    while (out_sent_ < out_.size()) {
        ssize_t sent = connection_->send(connection_, reinterpret_cast<u_char*>(out_.data()) + out_sent_,
                                         out_.size() - out_sent_);
        if (sent == NGX_AGAIN) {
            if (ngx_handle_write_event(connection_->write, 0) != NGX_OK) close("can't wait for the socket");
            return;
        }
        if (sent <= 0) return close("can't send");
        out_sent_ += static_cast<std::size_t>(sent);
    }
    out_.clear();
    out_sent_ = 0;
}

void Link::read() {
    for (;;) {
        ssize_t got =
            connection_->recv(connection_, reinterpret_cast<u_char*>(read_buffer), sizeof read_buffer);
        if (got == NGX_AGAIN) break;
        if (got <= 0) return close(got == 0 ? "it closed the connection" : "can't receive");
        last_read_ = ngx_current_msec;
        if (!take({read_buffer, static_cast<std::size_t>(got)})) return;
        if (static_cast<std::size_t>(got) < sizeof read_buffer && !connection_->read->ready) break;
    }
    if (ngx_handle_read_event(connection_->read, 0) != NGX_OK) return close("can't wait for the socket");
    schedule_timer();
    if (state_ == State::up) failures_ = 0;
}

// False when the link was closed over it.
bool Link::take(std::string_view bytes) {
    // hiredis moves what is left in its buffer after each reply: in small helpings that is little.
    constexpr std::size_t helping = 4096;
    ngx_connection_t* connection = connection_;
    while (!bytes.empty() && connection_ == connection) {
        std::size_t size = std::min(bytes.size(), helping);
        wire_->feed(bytes.substr(0, size));
        bytes.remove_prefix(size);
        take_replies();
    }
    return connection_ == connection;
}

void Link::take_replies() {
    ngx_connection_t* connection = connection_;
    for (;;) {
        Reply reply;
        Wire::Next next = wire_->next(reply);
        if (next == Wire::Next::need_more) break;
        if (next == Wire::Next::broken) return close("it does not speak its protocol");
        if (push_ && push_(&reply)) continue;
        if (pending_.empty()) return close("it sent what nobody asked for");
        {
            Pending pending = std::move(pending_.front());
            pending_.pop_front();
            if (state_ == State::probing && pending_.empty() && reply.kind != Reply::Kind::error) went_up();
            if (pending.quiet) {
                if (reply.kind == Reply::Kind::error) {
                    ngx_log_error(NGX_LOG_ERR, log_, 0, "larder: %s: %s", endpoint_.url.c_str(),
                                  std::string(reply.text).c_str());
                }
            } else {
                pending.handler(&reply);
            }
        }
        if (connection_ != connection) return;  // a handler ended it
    }
}

void Link::read_event(ngx_event_t* event) {
    auto* link = static_cast<Link*>(static_cast<ngx_connection_t*>(event->data)->data);
    guarded(event->log, "store connection", 0, [link] {
        link->read();
        return 0;
    });
}

void Link::write_event(ngx_event_t* event) {
    auto* connection = static_cast<ngx_connection_t*>(event->data);
    auto* link = static_cast<Link*>(connection->data);
    guarded(event->log, "store connection", 0, [&] {
        if (!link->connected_) {
            int error = 0;
            socklen_t size = sizeof error;
            if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1) error = ngx_errno;
            if (error != 0) {
                link->close(strerror(error));
                return 0;
            }
            link->connected_ = true;
            if (link->up_ && link->state_ == State::up) link->up_();
        }
        link->flush();
        return 0;
    });
}

void Link::flush_event(ngx_event_t* event) {
    auto* link = static_cast<Link*>(event->data);
    guarded(event->log, "store connection", 0, [link] {
        link->flush();
        return 0;
    });
}

void Link::timer_event(ngx_event_t* event) {
    auto* link = static_cast<Link*>(event->data);
    guarded(event->log, "store connection", 0, [link] {
        link->on_timer();
        return 0;
    });
}

}  // namespace larder::ngx
