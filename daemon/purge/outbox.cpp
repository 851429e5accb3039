// What could not be delivered is kept in memory, in order.
#include "outbox.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace larder::daemon {

namespace {
constexpr std::chrono::milliseconds retry_pause{200};
constexpr std::size_t most_late = 10'000;
}  // namespace

Outbox::Outbox(const Stores& stores, Metrics& metrics)
    : stores_(stores), metrics_(metrics), ticker_(retry_pause, [this] { retry(); }) {}

PurgeReceipt Outbox::purge(const PurgeOrder& order) {
    PurgeReceipt receipt;
    for (const auto& [name, store] : stores_.all()) {
        try {
            receipt.sequence =
                std::max(receipt.sequence, store->purge(order.hashes, order.mode, order.position));
        } catch (const std::exception& error) {
            spdlog::error("a purge waits for store {}: {}", name, error.what());
            receipt.accepted = keep(store.get(), order) && receipt.accepted;
            receipt.waiting++;
        }
    }
    metrics_.purge(order.hashes.size());
    return receipt;
}

bool Outbox::keep(Store* store, const PurgeOrder& order) {
    std::lock_guard lock(mutex_);
    if (late_.size() >= most_late) return false;
    late_.push_back({store, order});
    return true;
}

std::size_t Outbox::waiting() const {
    std::lock_guard lock(mutex_);
    return late_.size();
}

void Outbox::retry() {
    std::deque<Late> due;
    {
        std::lock_guard lock(mutex_);
        due.swap(late_);
    }
    std::deque<Late> still;
    std::vector<Store*> away;
    for (Late& late : due) {
        bool tried = std::find(away.begin(), away.end(), late.store) != away.end();
        try {
            if (!tried) late.store->purge(late.order.hashes, late.order.mode, late.order.position);
        } catch (const std::exception&) {
            away.push_back(late.store);
            tried = true;
        }
        if (tried) still.push_back(std::move(late));
    }
    if (still.empty()) return;
    std::lock_guard lock(mutex_);
    late_.insert(late_.begin(), std::make_move_iterator(still.begin()), std::make_move_iterator(still.end()));
}

}  // namespace larder::daemon
