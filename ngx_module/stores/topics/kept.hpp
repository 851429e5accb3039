// Purges that larderd has on its disk. A store may lose a purge that it took; larderd reads the store's log, keeps what is in it,
// and says how far it has come (PREFIX{purge}kept).
#pragma once

#include <cstdint>
#include <functional>

#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

// Calls `handler`: true once the purge would survive the store's death, or at once where no larderd keeps purges of the store;
// false when that takes too long.
void when_kept(const StoreConf& store, std::uint64_t sequence, std::function<void(bool)> handler);

}  // namespace larder::ngx
