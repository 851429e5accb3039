// Starts and stops what each worker has.
#pragma once

#include "ngx_module/directives/config.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/near/wakeup.hpp"

namespace larder::ngx {

void start_worker_parts(ngx_cycle_t* cycle, MainConf& conf);
void stop_worker_parts();

}  // namespace larder::ngx
