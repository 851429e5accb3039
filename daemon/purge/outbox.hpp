// Delivers purges to all stores. A purge that was accepted reaches every store:
//
// - A store that is down gets it when it is back.
// - With [purge] directory, the purge is on disk before it is acknowledged, so that it survives a crash of larderd.
// - The purge is kept for purge.keep after all stores have taken it. A store that has lost it, as Redis does when it
// restarts from
//   an older snapshot, gets it again.
// - The same holds for purges that nginx or another larderd has written to a store: they are read from the store's log.
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
    const char* refused = nullptr;  // why it could not be recorded; the stores that are up have taken it nevertheless
    std::uint64_t sequence = 0;  // the highest that a store has assigned; 0: no store has taken it yet
    std::size_t waiting = 0;     // number of stores that were down; they get it later, unless `refused`
};

class Outbox {
public:
    using Stores = std::map<std::string, std::unique_ptr<Store>, std::less<>>;

    // Throws std::runtime_error when the directory can't be used. `stores` and `metrics` must outlive the outbox.
    Outbox(const PurgeSettings& settings, const Stores& stores, Metrics& metrics);

    // Records the purge and delivers it to all stores that are up. Thread-safe; blocks for the disk and the stores.
    PurgeReceipt purge(const PurgeOrder& order);
    // Deliveries outstanding: a purge counts once for each store that lacks it.
    std::size_t waiting() const;

private:
    using Kept = std::shared_ptr<AcceptedPurge>;
    // A store, and the purges that it has yet to get.
    struct Addressee {
        std::string name;
        Store* store = nullptr;
        std::deque<Kept> waiting{};
        // Used by the ticker's thread alone:
        std::string incarnation{};    // Store::incarnation() when recover() last ran
        std::uint64_t read_up_to = 0;  // sequence up to which adopt() has read its log
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
    std::vector<Addressee> addressees_;  // the vector never changes
    std::deque<Kept> kept_;              // ascending by id
    std::size_t bytes_ = 0;              // size of kept_
    std::uint64_t last_id_ = 0;

    std::unique_ptr<Ticker> ticker_;  // last: it uses all the others
};

}  // namespace larder::daemon
