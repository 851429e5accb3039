// Starts and stops the worker's stores. entries.hpp, leases.hpp, purges.hpp and jobs.hpp have the operations.
#pragma once

#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

bool is_available(const StoreConf& store);

void start_stores(ngx_cycle_t* cycle, MainConf& conf);
void stop_stores();

}  // namespace larder::ngx
