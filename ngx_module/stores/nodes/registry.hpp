// The worker's way to each store, and to the queue of jobs.
#pragma once

#include <string>
#include <string_view>

#include "cache/wire/store_names.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/stores/nodes/node.hpp"
#include "ngx_module/stores/nodes/router.hpp"

namespace larder::ngx {

// Null before the worker has started and once it stops.
Router* router_to(const StoreConf& store);

// Where something in a store is: under which name, and at which node. The node is null if it is down, or if there is none.
struct Place {
    std::string name;
    Node* node = nullptr;
};
// E.g. place_of(store, &StoreNames::entry, key.text()).
Place place_of(const StoreConf& store, std::string (StoreNames::*name)(std::string_view) const, std::string_view part);
Place place_of(const StoreConf& store, std::string (StoreNames::*name)() const);

// larder_daemon's; null: there is none.
Node* queue_node();

void open_nodes(ngx_cycle_t* cycle, MainConf& conf);
void close_nodes();

}  // namespace larder::ngx
