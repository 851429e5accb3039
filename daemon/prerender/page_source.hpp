// Obtains pages for prerendering: enqueues ordinary jobs for them, and reads the results from the store.
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
    // Waits end when `stopping` is set. The references must outlive the source.
    PageSource(Queue& queue, Store& store, std::string store_name, const std::atomic<bool>& stopping);

    // Enqueues a job for the page unless the store has it, rendered since `since_ms` and not for a particular visitor. If
    // nginx has stored a policy for the page, that is used instead of `policy`.
    void request(const PageAddress& page, const Policy& policy, UnixMs since_ms);

    // Waits until the store has the page, rendered since `since_ms`, not for a particular visitor, and not purged; the page
    // must have been requested. Returns the entry's bytes. Returns nothing, with the reason in `why`, if the page can't be
    // rendered or stored, or at `deadline_ms`.
    std::optional<std::string> await(const PageAddress& page, const Policy& policy, UnixMs since_ms, UnixMs deadline_ms,
                                     std::string& why);

    // An entry that await() has returned: its fence, and the hashes of its tags and URL.
    struct Given {
        std::uint64_t fence;
        std::vector<std::uint64_t> hashes;

        bool operator==(const Given&) const = default;
    };
    // All of them since the last call.
    std::vector<Given> take_given() { return std::exchange(given_, {}); }

private:
    void enqueue(const std::string& key, const std::string& variant, const Policy& policy);
    std::optional<std::string> good_entry(const std::string& key, UnixMs since_ms);

    Queue& queue_;
    Store& store_;
    const std::string store_name_;
    const std::atomic<bool>& stopping_;
    std::vector<Given> given_;
};

}  // namespace larder::daemon
