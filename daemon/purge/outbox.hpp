// Accepts purges for all stores. A purge that was accepted reaches every store:
//
// - a store that is away gets it when it is back;
// - with [purge] directory the purge is on disk before it is acknowledged, so that the next larderd delivers it;
// - the purge is kept for a while after all stores took it: a store that has lost it, as Redis does when it restarts from an
//   older snapshot, gets it again;
// - so it is with purges that others gave to a store: nginx, or another larderd. They are read from the store's log.
#pragma once

#include <deque>
#include <memory>
#include <mutex>

#include "daemon/metrics.hpp"
#include "daemon/purge/purge_log.hpp"
#include "daemon/settings/settings.hpp"
#include "daemon/stores/store.hpp"
#include "daemon/ticker.hpp"

namespace larder::daemon {

struct PurgeReceipt {
    const char* refused = nullptr;  // why it could not be recorded; the stores that are not away took it nevertheless
    std::uint64_t sequence = 0;  // the highest that a store gave it; 0: every store is away
    std::size_t waiting = 0;     // stores that will get it later
};

class Outbox {
public:
    using Stores = std::map<std::string, std::unique_ptr<Store>, std::less<>>;

    // Throws std::runtime_error when the directory can't be used.
    Outbox(const PurgeSettings& settings, const Stores& stores, Metrics& metrics);

    PurgeReceipt purge(const PurgeOrder& order);
    // Purges that some store lacks, counted for each.
    std::size_t waiting() const;

private:
    using Kept = std::shared_ptr<AcceptedPurge>;
    // A store, and the purges that it was away for.
    struct Addressee {
        std::string name;
        Store* store = nullptr;
        std::deque<Kept> waiting{};
        // Of the ticker's thread alone:
        std::string incarnation{};    // of the store, when its log was last compared with ours
        std::uint64_t read_up_to = 0;  // of its log
        bool away = false;
    };

    void remember(std::vector<AcceptedPurge> purges);
    bool keep(const Kept& purge);
    bool is_delivered(const AcceptedPurge& purge) const;
    std::uint64_t deliver(Addressee& to, AcceptedPurge& purge);
    void tick();
    void look_after(Addressee& to);
    void deliver_waiting(Addressee& to);
    void adopt(Addressee& to);
    void recover(Addressee& to);
    void forget_old();

    const std::chrono::milliseconds keep_for_;
    const std::size_t most_bytes_;
    Metrics& metrics_;
    PurgeLog log_;

    mutable std::mutex mutex_;  // guards what follows, and the sequences in kept purges
    std::vector<Addressee> addressees_;  // themselves fixed
    std::deque<Kept> kept_;              // by id
    std::size_t bytes_ = 0;              // of these
    std::uint64_t last_id_ = 0;

    std::unique_ptr<Ticker> ticker_;  // last: it uses all the others
};

}  // namespace larder::daemon
