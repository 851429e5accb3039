// The order in which the parts of a worker start and stop.
#include "ngx_module/worker.hpp"

#include <csignal>

#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/request/refresh.hpp"
#include "ngx_module/stores/stores.hpp"

namespace larder::ngx {

void start_worker_parts(ngx_cycle_t* cycle, MainConf& conf) {
    start_wakeups(cycle);
    // nginx replaces a worker that died at once, so this may be its successor: release what dead processes held.
    wake_workers(zone().sweep([](int pid) { return kill(pid, 0) == 0 || errno != ESRCH; }));
    start_stores(cycle, conf);
}

void stop_worker_parts() {
    stop_refreshes();
    stop_stores();
    stop_wakeups();
}

}  // namespace larder::ngx
