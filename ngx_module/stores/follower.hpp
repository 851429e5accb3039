// Keeps the near cache coherent with one store: follows its purge log, and, with Redis, is told of every entry that changes
// (client-side caching in broadcasting mode, on one connection redirected to itself). Runs in one worker.
#pragma once

#include <memory>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/stores/link.hpp"

namespace larder::ngx {

class Follower {
public:
    // `link` is the worker's connection to the store, for asking; it must outlive the follower.
    Follower(const StoreConf& store, const Link::Greeting& greeting, Link& link, ngx_log_t* log);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

private:
    void poll();
    void take_redis_log(const Reply* reply);
    void take_memcached_log(const Reply* reply);
    void subscribe();
    bool told(const Reply* message);
    void take_line(std::string_view line);
    void take_time(const Reply* reply, std::int64_t asked_ms);

    const StoreConf& store_;
    Link& link_;
    ngx_log_t* log_;
    std::unique_ptr<Link> subscriber_;
    ngx_event_t timer_{};
    bool asking_ = false;
    bool ask_again_ = false;
    bool subscribed_ = false;
    // memcached's log:
    std::size_t log_bytes_seen_ = 0;
    std::string log_first_line_{};     // tells this log from one that was started anew
    std::uint64_t log_sequence_ = 0;  // of the last line
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace larder::ngx
