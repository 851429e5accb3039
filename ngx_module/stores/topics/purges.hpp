// Gives purges to a store. The follower reads them back.
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

// The newest purge that a render beginning now certainly knows. `store` null: of the near cache alone.
std::uint64_t fence_now(const StoreConf* store);

// The handler gets the purge's sequence, or nullopt if the store failed. It may be called before this returns.
void purge_store(const StoreConf& store, const PurgeRequest& purge,
                 std::function<void(std::optional<std::uint64_t>)> handler);

// The first line of a new memcached purge log: a floor above all purges that this nginx knows, and above one that is
// appended while the log is begun.
std::string purge_log_floor(unsigned domain);

}  // namespace larder::ngx
