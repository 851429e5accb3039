// One thread serves all stores. A purge is removed from the store's list of pending purges after all its jobs are queued,
// so a purge that a crash interrupts is walked again.
#include "purger.hpp"

#include <spdlog/spdlog.h>

#include "daemon/clock.hpp"
#include "cache/priority.hpp"
#include "daemon/stores/entry_start.hpp"

namespace larder::daemon {

namespace {
constexpr std::chrono::milliseconds look_pause{50};
constexpr std::size_t most_side_by_side = 64;
constexpr std::size_t few = 64;  // the first jobs of each purge get a higher priority than the rest
}  // namespace

Purger::Purger(const Stores& stores, Queue& queue, Metrics& metrics)
    : stores_(stores), queue_(queue), metrics_(metrics), ticker_(look_pause, [this] { look(); }) {}

void Purger::look() {
    bool away = false;
    for (const auto& [name, store] : stores_.all()) {
        try {
            while (walk_pages(name, *store)) {}
        } catch (const std::exception& error) {
            away = true;
            if (!away_) spdlog::error("purges of store {} wait: {}", name, error.what());
        }
    }
    away_ = away;
}

// Enqueues jobs for one page of keys of each pending purge. Returns whether to call it again at once.
bool Purger::walk_pages(const std::string& name, Store& store) {
    std::vector<Purge> purges = store.pending(most_side_by_side);
    Walks going;
    bool full = false;
    for (const Purge& purge : purges) {
        auto known = walks_.extract({name, purge.sequence, purge.hash});
        Walk walk = known ? std::move(known.mapped()) : Walk();
        full = full || !walk_page(name, store, purge, walk);
        if (!full && walk.cursor.empty()) store.settle(purge);
        else going[{name, purge.sequence, purge.hash}] = std::move(walk);
    }
    // What is left is no longer pending: another larderd has settled it.
    std::erase_if(walks_, [&](const auto& walk) { return std::get<0>(walk.first) == name; });
    walks_.merge(going);
    return !purges.empty() && !full;
}

// Returns false when the queue takes no jobs at present. The purge then stays pending.
bool Purger::walk_page(const std::string& name, Store& store, const Purge& purge, Walk& walk) {
    KeyPage page = store.keys_under(purge.hash, walk.cursor);
    for (const std::string& key : page.keys) {
        if (!regenerate(name, store, key, purge, walk)) return false;
    }
    walk.cursor = std::move(page.next);
    return true;
}

bool Purger::regenerate(const std::string& name, Store& store, const std::string& key, const Purge& purge, Walk& walk) {
    auto entry = read_entry_start(store, key);
    if (!entry) {
        store.forget(key, purge.hash);
        return true;
    }
    if (entry->head.fence >= purge.sequence) return true;
    const char* why = nullptr;
    auto variant = Variant::parse(entry->variant, &why);
    // nginx regenerates these itself: pages that depend on data of their visitor, and named parts, which come with their
    // page.
    if (!variant || variant->needs_visitor() || variant->method != "GET") return true;
    auto policy = store.policy(key);
    if (!policy) return true;  // nginx stores no policy for pages that must not be regenerated without a visitor
    Job job;
    job.reason = JobReason::purge;
    job.enqueued_ms = unix_ms();
    job.fence = purge.sequence;
    job.position = purge.position;
    job.store = name;
    job.policy = *policy;
    job.variant = entry->variant;
    auto delay = walk.queued++ < few ? few_purged_delay : delay_of(job.reason);
    Enqueued result = queue_.enqueue(key, encode_job(job), delay, job.urgent());
    if (result == Enqueued::nodaemon || result == Enqueued::full) return false;
    if (result != Enqueued::refused) metrics_.purge_job();  // refused: nginx regenerates it at the next visit
    return true;
}

}  // namespace larder::daemon
