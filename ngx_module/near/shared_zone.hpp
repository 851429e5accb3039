// The near cache in nginx's shared memory, and this worker's access to it.
#pragma once

#include "ngx_module/near/forecast.hpp"
#include "ngx_module/near/zone.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Adds the zone to the configuration, for larder_zone. Null, after logging, if nginx refuses.
ngx_shm_zone_t* add_shared_zone(ngx_conf_t* cf, std::size_t bytes);

// Attaches this process to the zone. Called once in each worker, before zone().
void attach_zone(ngx_shm_zone_t* shm);

// This worker's view. Precondition: attach_zone() was called, as it is whenever a location caches.
near_cache::Zone& zone();
near_cache::Forecast& forecast();
bool has_zone();

inline void count(near_cache::Counter counter, std::uint64_t by = 1) {
    zone().stats().counters[static_cast<unsigned>(counter)].fetch_add(by, std::memory_order_relaxed);
}

}  // namespace larder::ngx
