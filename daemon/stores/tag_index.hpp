// An index from tags to keys in this daemon's memory, for memcached, which has no sets. It has only the pages that this
// daemon rendered. Thread-safe.
#pragma once

#include <mutex>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "daemon/clock.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

class TagIndex {
public:
    // If there are `most_keys` keys, a new one replaces the one that expires first.
    explicit TagIndex(std::size_t most_keys, UnixClock clock = unix_ms)
        : most_keys_(most_keys), clock_(std::move(clock)) {}

    void add(std::string_view key, const std::vector<std::uint64_t>& hashes, std::string_view policy,
             std::chrono::milliseconds lifetime);
    void forget(std::string_view key);
    std::vector<std::string> keys(std::uint64_t hash) const;
    std::string policy(std::string_view key) const;  // empty: unknown
    std::size_t size() const;

private:
    struct Known {
        std::vector<std::uint64_t> hashes;
        std::string policy;
        UnixMs expires = 0;
    };

    void remove(const std::string& key);

    const std::size_t most_keys_;
    const UnixClock clock_;
    mutable std::mutex mutex_;  // guards all that follows
    std::unordered_map<std::string, Known> known_;
    std::unordered_map<std::uint64_t, std::unordered_set<std::string>> keys_;
    std::set<std::pair<UnixMs, std::string>> expiry_;
};

}  // namespace larder::daemon
