// What the module asks of stores and of the daemon. Asynchronous: handlers run later, from the event loop, or before the call
// returns if the store is down; none runs once the worker stops.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "cache/job.hpp"
#include "cache/request/key.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

struct StoreAnswer {
    bool failed = false;
    std::string_view entry;  // unchecked bytes; empty: none, or failed
};

// The newest purge that a render which begins now is sure to know of. `store` may be null: the near cache alone.
std::uint64_t fence_now(const StoreConf* store);

bool is_available(const StoreConf& store);

// False (and no call) when the store is down.
bool get_entry(const StoreConf& store, const Key& key, std::function<void(StoreAnswer)> handler);

// Indexes and stores; best effort. `prefix` and `body` together are the entry. The handler is told whether the store has
// it. False (and no call) when nothing was sent.
bool put_entry(const StoreConf& store, const Key& key, std::string_view prefix, std::string_view body, const Policy& policy,
               std::function<void(bool stored)> handler);
void forget_entry(const StoreConf& store, const Key& key);

// The right to fill this key, among all machines that share the store.
struct LeaseAnswer {
    bool refused = false;     // another machine has it; otherwise it is ours, or the store can't say
    bool ours = false;        // to be given back
    bool passes = false;      // there is nothing to fill: a machine found that answers for this key can't be stored
    ngx_msec_t again_ms = 0;  // refused: when to ask again, if nothing was heard before; passes: how long that holds
};
// False (and no call) when the store is down. The lease ends by itself after `ttl_ms`.
bool claim_lease(const StoreConf& store, const Key& key, ngx_msec_t ttl_ms,
                 std::function<void(LeaseAnswer)> handler);
void release_lease(const StoreConf& store, const Key& key);
// In the place of the lease: tells the other machines that answers for this key can't be stored.
void pass_lease(const StoreConf& store, const Key& key, ngx_msec_t for_ms);

struct PurgeRequest {
    std::vector<std::uint64_t> hashes;
    PurgeMode mode = PurgeMode::soft;
    std::string position;
    bool regenerate = true;
};
// What Redis holds as PREFIX{purge}kept; nothing if it holds none, or failed. False: it can't be asked.
bool ask_kept(const StoreConf& store, std::function<void(std::optional<std::string_view>)> handler);

// The handler gets the purge's sequence, or nothing when the store failed.
void purge_store(const StoreConf& store, const PurgeRequest& purge,
                 std::function<void(std::optional<std::uint64_t>)> handler);

// The line that memcached's purge log begins with: a floor above all purges that we know of, and above one that is appended while
// we start the log anew.
std::string purge_log_floor(unsigned domain);

// nobody: no daemon took it; refused: one took it lately, and could not do it.
enum class Enqueued : std::uint8_t { queued, duplicate, nobody, refused };
void enqueue_job(const Key& key, const Job& job, std::function<void(Enqueued)> handler);
bool has_daemon();

void start_stores(ngx_cycle_t* cycle, MainConf& conf);
void stop_stores();

}  // namespace larder::ngx
