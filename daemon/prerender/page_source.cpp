// Any larderd may run a job, so its end is found out by polling the queue and the store.
#include "page_source.hpp"

#include <algorithm>
#include <thread>

#include "cache/entry.hpp"
#include "cache/request/key.hpp"
#include "daemon/queue/new_job.hpp"
#include "daemon/stores/entry_start.hpp"
#include "daemon/stores/stored_entry.hpp"

namespace larder::daemon {

namespace {
constexpr std::chrono::milliseconds look_pause{10};
constexpr int most_requests = 4;  // for a page that others keep changing

bool will_do(const EntryHead& head, UnixMs since_ms) {
    return head.made_for == static_cast<std::uint8_t>(MadeFor::anybody) && head.created_ms >= since_ms;
}
}  // namespace

PageSource::PageSource(Queue& queue, Store& store, std::string store_name, const std::atomic<bool>& stopping)
    : queue_(queue), store_(store), store_name_(std::move(store_name)), stopping_(stopping) {}

// An entry rendered since `since_ms` is accepted even if it is not fresh any more: rendering it again would not make it
// newer. Entries made for a visitor are not accepted: nginx's access rules may have admitted that visitor, where they
// refuse an anonymous request.
std::optional<std::string> PageSource::good_entry(const std::string& key, UnixMs since_ms) {
    auto bytes = store_.get(key);
    const char* why = nullptr;
    auto entry = bytes ? EntryView::parse(*bytes, &why) : std::nullopt;
    if (!entry) return std::nullopt;
    PurgeSeen purge = store_.purges_since(entry->head().fence, purge_hashes(*entry));
    if (purge.mode != PurgeMode::none) return std::nullopt;
    if (!will_do(entry->head(), since_ms)) return std::nullopt;
    given_.push_back({entry->head().fence, purge_hashes(*entry)});
    return bytes;
}

void PageSource::enqueue(const std::string& key, const std::string& variant, const Policy& policy) {
    enqueue_new(queue_, JobReason::prerender, store_name_, store_.policy(key), policy, variant);
}

void PageSource::request(const PageAddress& page, const Policy& policy, UnixMs since_ms) {
    std::string variant = plain_variant(page);
    if (variant.empty()) return;
    std::string key = key_of(variant).text();
    auto start = read_entry_start(store_, key);
    if (start && will_do(start->head, since_ms)) return;
    enqueue(key, variant, policy);
}

// A key has one job, which may have another reason than ours. If so, it may end without a render, because a visitor's miss has
// stored a fresh entry meanwhile. The entry that our job has stored may be purged, or replaced by a visitor's, before it is read.
// In all these cases there is an entry, so the page can be stored, and we enqueue our job again. Without an entry the render
// failed, or its answer may not be stored.
std::optional<std::string> PageSource::await(const PageAddress& page, const Policy& policy, UnixMs since_ms,
                                             UnixMs deadline_ms, std::string& why) {
    std::string variant = plain_variant(page);
    if (variant.empty()) {
        why = "its URL is too long";
        return std::nullopt;
    }
    std::string key = key_of(variant).text();
    for (int requests = 1; !stopping_;) {
        bool pending =
            queue_.pending(key);  // before the store is read: otherwise the job could store its entry and end in between
        auto start = read_entry_start(store_, key);
        if (!pending || (start && will_do(start->head, since_ms))) {
            if (auto entry = good_entry(key, since_ms)) return entry;
        }
        if (!pending) {
            if (!start || requests == most_requests) {
                why = "its render failed, or may not be stored";
                return std::nullopt;
            }
            enqueue(key, variant, policy);
            requests++;
        }
        if (unix_ms() >= deadline_ms) {
            why = "it was not rendered in time";
            return std::nullopt;
        }
        std::this_thread::sleep_for(look_pause);
    }
    why = "the daemon is stopping";
    return std::nullopt;
}

}  // namespace larder::daemon
