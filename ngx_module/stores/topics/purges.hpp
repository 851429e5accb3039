// Purges of a store: they are given to it here, and read by the follower.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cache/response/verdict.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

struct PurgeRequest {
    std::vector<std::uint64_t> hashes;
    PurgeMode mode = PurgeMode::soft;
    std::string position;
    bool regenerate = true;
};

// The newest purge that a render which begins now is sure to know of. `store` may be null: the near cache alone.
std::uint64_t fence_now(const StoreConf* store);

// The handler gets the purge's sequence, or nothing when the store failed. It may be called before this returns.
void purge_store(const StoreConf& store, const PurgeRequest& purge,
                 std::function<void(std::optional<std::uint64_t>)> handler);

// The line that memcached's purge log begins with: a floor above all purges that we know of, and above one that is appended while
// we start the log anew.
std::string purge_log_floor(unsigned domain);

}  // namespace larder::ngx
