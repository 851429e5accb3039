// Turns purges into jobs: for each purge that a store has pending, every entry under that tag or URL is queued, urgently.
#pragma once

#include "daemon/metrics.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/stores/stores.hpp"
#include "daemon/ticker.hpp"

namespace larder::daemon {

class Purger {
public:
    Purger(const Stores& stores, Queue& queue, Metrics& metrics);

private:
    void look();
    void walk_pending(const std::string& name, Store& store);
    // False when the queue takes no jobs now: the purge stays pending.
    bool walk(const std::string& name, Store& store, const Purge& purge);
    bool regenerate(const std::string& name, Store& store, const std::string& key, const Purge& purge);

    const Stores& stores_;
    Queue& queue_;
    Metrics& metrics_;
    bool away_ = false;  // of the ticker's thread alone
    Ticker ticker_;      // last: it uses all the others
};

}  // namespace larder::daemon
