#include "ngx_module/stores/stores.hpp"

#include <memory>
#include <vector>

#include "ngx_module/stores/topics/follower.hpp"
#include "ngx_module/stores/nodes/registry.hpp"

namespace larder::ngx {

namespace {

std::vector<std::unique_ptr<Follower>> followers;

}  // namespace

bool is_available(const StoreConf& store) {
    const Router* router = router_to(store);
    return router != nullptr && router->available();
}

void start_stores(ngx_cycle_t* cycle, MainConf& conf) {
    open_nodes(cycle, conf);
    if (ngx_worker != 0) return;  // one worker keeps the zone up to date for all
    for (const StoreConf& store : conf.stores) followers.push_back(std::make_unique<Follower>(store, cycle->log));
}

void stop_stores() {
    followers.clear();
    close_nodes();
}

}  // namespace larder::ngx
