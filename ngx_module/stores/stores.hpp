// The life of a worker's stores. What it asks of them: entries.hpp, leases.hpp, purges.hpp, jobs.hpp.
#pragma once

#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

bool is_available(const StoreConf& store);

void start_stores(ngx_cycle_t* cycle, MainConf& conf);
void stop_stores();

}  // namespace larder::ngx
