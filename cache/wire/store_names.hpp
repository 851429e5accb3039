// The names of what Larder keeps in a store or a queue, from the configured prefix. redis_scripts.hpp and
// memcached_names.hpp say what is under them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "cache/request/key.hpp"

namespace larder {

class StoreNames {
public:
    explicit StoreNames(std::string prefix) : prefix_(std::move(prefix)) {}

    const std::string& prefix() const { return prefix_; }

    // KEY is Key::text().
    std::string entry(std::string_view key) const { return with(entry_kind, key); }
    std::string lease(std::string_view key) const { return with(lease_kind, key); }
    std::string policy(std::string_view key) const { return with("p:", key); }
    std::string tag(std::uint64_t hash) const { return with("t:", hash_text(hash)); }
    std::string identity() const { return with("id", {}); }
    // Where nothing ever is.
    std::string absent() const { return with("probe", {}); }
    // Redis: what belongs together in a cluster has one hash tag.
    std::string purge(std::string_view part) const { return with("{purge}", part); }
    std::string queue(std::string_view part) const { return with("{queue}", part); }
    // memcached.
    std::string purge_log() const { return with("purges", {}); }

    // What the names of all entries, or of all leases, begin with.
    std::string entries() const { return with(entry_kind, {}); }
    std::string leases() const { return with(lease_kind, {}); }

private:
    static constexpr std::string_view entry_kind = "e:", lease_kind = "l:";

    std::string with(std::string_view kind, std::string_view rest) const {
        std::string name;
        name.reserve(prefix_.size() + kind.size() + rest.size());
        return name.append(prefix_).append(kind).append(rest);
    }

    std::string prefix_;
};

}  // namespace larder
