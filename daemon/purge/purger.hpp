// Turns purges into jobs: enqueues every entry under a purged tag or URL. Walks the pending purges of a store round-robin,
// one page of keys each, so that a purge of a million entries doesn't delay a purge of one.
#pragma once

#include <map>
#include <tuple>

#include "daemon/metrics.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/stores/stores.hpp"
#include "daemon/ticker.hpp"

namespace larder::daemon {

class Purger {
public:
    Purger(const Stores& stores, Queue& queue, Metrics& metrics);

private:
    // How far a purge has been walked. Not persistent: a restarted larderd starts from the beginning.
    struct Walk {
        std::string cursor;
        std::size_t queued = 0;  // jobs
    };
    using Walks = std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, Walk>;  // by store, sequence, hash

    void look();
    bool walk_pages(const std::string& name, Store& store);
    bool walk_page(const std::string& name, Store& store, const Purge& purge, Walk& walk);
    bool regenerate(const std::string& name, Store& store, const std::string& key, const Purge& purge, Walk& walk);

    const Stores& stores_;
    Queue& queue_;
    Metrics& metrics_;
    // Used by the ticker's thread alone:
    Walks walks_;
    bool away_ = false;  // a store or the queue; so that it is logged once

    Ticker ticker_;  // last: it uses all the others
};

}  // namespace larder::daemon
