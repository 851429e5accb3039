// Keeps the near cache coherent with one store. The follower reads the store's purge log, and Redis notifies it of
// every changed entry, by client tracking in broadcasting mode on one connection that is redirected to itself. It
// runs in one worker.
//
// The near cache relies on these notifications only while two conditions hold. Each step of the subscription was
// accepted, on a connection that still answers. And the worker's other connection to the store is the one that was up
// then, since another server may have the address by now. Otherwise entries are checked with the store every second.
#pragma once

#include <memory>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/stores/link/link.hpp"
#include "ngx_module/stores/nodes/node.hpp"

namespace larder::ngx {

class Follower {
public:
    // Uses the worker's connection to the node that has the store's purge log.
    Follower(const StoreConf& store, ngx_log_t* log);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

private:
    enum class Telling : std::uint8_t { off, asked, on };

    void poll();
    void ask_for_identity();
    void give_owed();
    void owe_again();
    void take_redis_log(const Reply* reply);
    void take_memcached_log(const Reply* reply);
    void keep_subscribed();
    void ask_for_id();
    void ask_for_tracking(long long id);
    void ask_for_messages();
    void began();
    void refused(const char* command, const Reply* reply);
    bool told(const Reply* message);
    void take_time(const Reply* reply, std::int64_t asked_ms);

    const StoreConf& store_;
    Node& node_;
    ngx_log_t* log_;
    std::unique_ptr<Link> subscriber_;
    ngx_event_t timer_{};
    std::uint64_t identified_ = 0;  // generation of node_ whose identity was requested ...
    ngx_msec_t identified_at_ = 0;  // ... and when
    static constexpr std::size_t first_batch = 2000, most_in_batch = 32'000;
    std::size_t batch_ = first_batch;  // lines of Redis's log to read in one turn
    bool giving_ = false;
    bool asking_ = false;
    bool ask_again_ = false;
    Telling telling_ = Telling::off;
    bool refusal_logged_ = false;
    ngx_msec_t asked_at_ = 0;
    std::uint64_t told_beside_ = 0;  // generation of node_ when the notifications began
    // State of reading memcached's log:
    std::size_t log_bytes_seen_ = 0;
    std::string log_first_line_{};     // distinguishes this log from one that was begun anew
    std::uint64_t log_sequence_ = 0;  // of the last line
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace larder::ngx
