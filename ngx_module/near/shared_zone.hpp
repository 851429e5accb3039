// The near cache in nginx's terms: its shared memory zone, and this worker's view of it.
#pragma once

#include "ngx_module/near/forecast.hpp"
#include "ngx_module/near/zone.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// For the larder_zone directive; null (and logged) when nginx refuses.
ngx_shm_zone_t* add_shared_zone(ngx_conf_t* cf, std::size_t bytes);

// Makes this process's view. To be called once in each worker, before zone().
void attach_zone(ngx_shm_zone_t* shm);

// This worker's view. Precondition: attach_zone() was called (whenever some location caches, it was).
near_cache::Zone& zone();
near_cache::Forecast& forecast();
bool has_zone();

inline void count(near_cache::Counter counter, std::uint64_t by = 1) {
    zone().stats().counters[static_cast<unsigned>(counter)].fetch_add(by, std::memory_order_relaxed);
}

}  // namespace larder::ngx
