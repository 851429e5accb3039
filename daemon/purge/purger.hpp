// Turns purges into jobs: every entry under a purged tag or URL is queued. The purges of a store are walked side by side, a page of
// keys of each in turn, so that a purge of one page is not behind one of a million.
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
    // How far a purge has been walked. Lost with the daemon; the next one begins anew.
    struct Walk {
        std::string cursor;
        std::size_t queued = 0;
    };
    using Walks = std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, Walk>;  // by store, sequence, hash

    void look();
    bool walk_pages(const std::string& name, Store& store);
    bool walk_page(const std::string& name, Store& store, const Purge& purge, Walk& walk);
    bool regenerate(const std::string& name, Store& store, const std::string& key, const Purge& purge, Walk& walk);

    const Stores& stores_;
    Queue& queue_;
    Metrics& metrics_;
    // Of the ticker's thread alone:
    Walks walks_;
    bool away_ = false;

    Ticker ticker_;  // last: it uses all the others
};

}  // namespace larder::daemon
