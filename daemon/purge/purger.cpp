// One thread for all stores. A purge is settled after all its jobs are queued, so a crash in between repeats it.
#include "purger.hpp"

#include <spdlog/spdlog.h>

#include "daemon/clock.hpp"
#include "cache/priority.hpp"
#include "daemon/stores/entry_start.hpp"

namespace larder::daemon {

namespace {
constexpr std::chrono::milliseconds look_pause{50};
}

Purger::Purger(const Stores& stores, Queue& queue, Metrics& metrics)
    : stores_(stores), queue_(queue), metrics_(metrics), ticker_(look_pause, [this] { look(); }) {}

void Purger::look() {
    bool away = false;
    for (const auto& [name, store] : stores_.all()) {
        try {
            walk_pending(name, *store);
        } catch (const std::exception& error) {
            away = true;
            if (!away_) spdlog::error("purges of store {} wait: {}", name, error.what());
        }
    }
    away_ = away;
}

void Purger::walk_pending(const std::string& name, Store& store) {
    while (auto purge = store.pending()) {
        if (!walk(name, store, *purge)) return;
        store.settle(*purge);
    }
}

bool Purger::walk(const std::string& name, Store& store, const Purge& purge) {
    bool taken = true;
    store.each_key(purge.hash,
                   [&](const std::string& key) { taken = taken && regenerate(name, store, key, purge); });
    return taken;
}

bool Purger::regenerate(const std::string& name, Store& store, const std::string& key, const Purge& purge) {
    auto entry = read_entry_start(store, key);
    if (!entry) {
        store.forget(key, purge.hash);
        return true;
    }
    if (entry->head.fence >= purge.sequence) return true;
    const char* why = nullptr;
    auto variant = Variant::parse(entry->variant, &why);
    // One person's page, and a part that is made with its page, are for nginx to make anew.
    if (!variant || variant->is_personal() || variant->method != "GET") return true;
    auto policy = store.policy(key);
    if (!policy) return true;  // stored by someone who doesn't want it made without a visitor
    Job job;
    job.reason = JobReason::purge;
    job.enqueued_ms = unix_ms();
    job.fence = purge.sequence;
    job.position = purge.position;
    job.store = name;
    job.policy = *policy;
    job.variant = entry->variant;
    Enqueued result = queue_.enqueue(key, encode_job(job), delay_of(job.reason), job.urgent());
    if (result == Enqueued::nodaemon || result == Enqueued::full) return false;
    if (result != Enqueued::refused) metrics_.purge_job();  // refused: nginx makes it for its next visitor
    return true;
}

}  // namespace larder::daemon
