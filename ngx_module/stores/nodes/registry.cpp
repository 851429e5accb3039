#include "ngx_module/stores/nodes/registry.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/stores/link/host_name.hpp"

namespace larder::ngx {

namespace {

struct StoreNodes {
    StoreNames names;
    Node node;
    SingleRouter router{node};

    StoreNodes(const Endpoint& endpoint, ngx_log_t* log)
        : names(endpoint.prefix), node(endpoint, log) {}

    Place place(std::string name) {
        Node& at = router.node_of(name);
        return {std::move(name), at.available() ? &at : nullptr};
    }
};

std::vector<std::unique_ptr<StoreNodes>> stores;  // indexed by domain
std::unique_ptr<Node> queue;

StoreNodes* nodes_of(const StoreConf& store) {
    return store.domain < stores.size() ? stores[store.domain].get() : nullptr;
}

}  // namespace

Router* router_to(const StoreConf& store) {
    StoreNodes* nodes = nodes_of(store);
    return nodes != nullptr ? &nodes->router : nullptr;
}

Place place_of(const StoreConf& store, std::string (StoreNames::*name)(std::string_view) const, std::string_view part) {
    StoreNodes* nodes = nodes_of(store);
    return nodes != nullptr ? nodes->place((nodes->names.*name)(part)) : Place();
}

Place place_of(const StoreConf& store, std::string (StoreNames::*name)() const) {
    StoreNodes* nodes = nodes_of(store);
    return nodes != nullptr ? nodes->place((nodes->names.*name)()) : Place();
}

Node* queue_node() {
    return queue.get();
}

void open_nodes(ngx_cycle_t* cycle, MainConf& conf) {
    use_resolver(cycle);
    if (conf.daemon) {
        queue = std::make_unique<Node>(*conf.daemon, cycle->log);
        queue->connect();
    }
    stores.resize(near_cache::max_domains);
    for (StoreConf& store : conf.stores) {
        store.domain = zone().domain_of(store.identity());
        stores[store.domain] = std::make_unique<StoreNodes>(store.endpoint, cycle->log);
        stores[store.domain]->node.connect();
    }
}

void close_nodes() {
    // Out of reach first: what waited for a reply ends with its link, and may want to tell a store so.
    auto ending = std::exchange(stores, {});
    auto queue_ending = std::exchange(queue, nullptr);
}

}  // namespace larder::ngx
