// Waits until larderd has a purge on disk. A store may lose a purge that it recorded. larderd reads the store's purge
// log, keeps the purges, and states up to which sequence it has done so (PREFIX{purge}kept).
#pragma once

#include <cstdint>
#include <functional>

#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

// Calls `handler` with true once the purge would survive the store's death, or at once if no larderd keeps purges of
// this store; with false if that takes too long. It may be called before this returns.
void when_kept(const StoreConf& store, std::uint64_t sequence, std::function<void(bool)> handler);

}  // namespace larder::ngx
