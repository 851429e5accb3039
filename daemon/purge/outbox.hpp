// Accepts purges for all stores. One that a store cannot take now is kept and tried again: a purge must not get lost, nor
// fail the write that caused it.
#pragma once

#include <deque>
#include <mutex>

#include "daemon/metrics.hpp"
#include "daemon/stores/stores.hpp"
#include "daemon/ticker.hpp"

namespace larder::daemon {

struct PurgeOrder {
    std::vector<std::uint64_t> hashes;
    PurgeMode mode = PurgeMode::soft;
    std::string position;
};

struct PurgeReceipt {
    bool accepted = true;        // false: a store is away and the outbox is full
    std::uint64_t sequence = 0;  // the highest that a store gave it; 0: every store is away
    std::size_t waiting = 0;     // stores that will get it later
};

class Outbox {
public:
    Outbox(const Stores& stores, Metrics& metrics);

    PurgeReceipt purge(const PurgeOrder& order);
    std::size_t waiting() const;

private:
    struct Late {
        Store* store = nullptr;
        PurgeOrder order;
    };

    bool keep(Store* store, const PurgeOrder& order);
    void retry();

    const Stores& stores_;
    Metrics& metrics_;
    mutable std::mutex mutex_;  // guards late_
    std::deque<Late> late_;
    Ticker ticker_;  // last: it uses all the others
};

}  // namespace larder::daemon
