// Gets pages for prerendering: has them rendered by jobs, like everyone else's, and takes them from the store.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/response/policy.hpp"
#include "daemon/clock.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/settings/address.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

class PageSource {
public:
    // `stopping` ends each wait. All must outlive the source.
    PageSource(Queue& queue, Store& store, std::string store_name, const std::atomic<bool>& stopping);

    // Queues a job for the page unless it was rendered since `since_ms` for nobody in particular. A policy that nginx left for the page goes
    // before `policy`.
    void request(const PageAddress& page, const Policy& policy, UnixMs since_ms);

    // Waits until the store holds the page, rendered since then for nobody in particular, or its job has ended: the entry's bytes,
    // if it is that. Nothing, and the reason in `why`, when there is none such, or at `deadline_ms`.
    std::optional<std::string> await(const PageAddress& page, UnixMs since_ms, UnixMs deadline_ms,
                                     std::string& why);

    // What the entries given since the last call are purged by, and the oldest fence among them.
    struct Given {
        std::uint64_t fence = 0;
        std::vector<std::uint64_t> hashes;
    };
    Given take_given() { return std::exchange(given_, {}); }

private:
    std::optional<std::string> good_entry(const std::string& key, UnixMs since_ms);

    Queue& queue_;
    Store& store_;
    const std::string store_name_;
    const std::atomic<bool>& stopping_;
    Given given_;
};

}  // namespace larder::daemon
