// Keeps the near cache coherent with one store. It reads the store's purge log, and Redis tells it of every entry that changes:
// client tracking in broadcasting mode, on one connection that is redirected to itself. Runs in one worker.
//
// The near cache believes that it is told only while each step of the subscription was accepted on a connection that still
// answers, and while the worker's other connection to the store is the one that was up then: behind one address there may be
// another server by now. Otherwise near entries are checked with the store every second.
#pragma once

#include <memory>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/stores/link/link.hpp"
#include "ngx_module/stores/nodes/node.hpp"

namespace larder::ngx {

class Follower {
public:
    // Asks by the worker's own connection to the node that has the store's purge log.
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
    std::uint64_t identified_ = 0;  // the generation of node_ that was asked for the store's identity ...
    ngx_msec_t identified_at_ = 0;  // ... then
    static constexpr std::size_t first_batch = 2000, most_in_batch = 32'000;
    std::size_t batch_ = first_batch;  // of Redis's log, to be read in one turn
    bool giving_ = false;
    bool asking_ = false;
    bool ask_again_ = false;
    Telling telling_ = Telling::off;
    bool refusal_logged_ = false;
    ngx_msec_t asked_at_ = 0;
    std::uint64_t told_beside_ = 0;  // the generation of node_ when the telling began
    // memcached's log:
    std::size_t log_bytes_seen_ = 0;
    std::string log_first_line_{};     // tells this log from one that was started anew
    std::uint64_t log_sequence_ = 0;  // of the last line
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace larder::ngx
