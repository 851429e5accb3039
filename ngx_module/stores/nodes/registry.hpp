// The worker's nodes: those of each store, and that of the job queue.
#pragma once

#include <string>
#include <string_view>

#include "cache/wire/store_names.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/stores/nodes/node.hpp"
#include "ngx_module/stores/nodes/router.hpp"

namespace larder::ngx {

// Null before the worker has started its stores, and after it has stopped them.
Router* router_to(const StoreConf& store);

// Where an item of a store is: its name, and its node. The node is null if it is down, or if the store has none.
struct Place {
    std::string name;
    Node* node = nullptr;
};
// For example place_of(store, &StoreNames::entry, key.text()).
Place place_of(const StoreConf& store, std::string (StoreNames::*name)(std::string_view) const, std::string_view part);
Place place_of(const StoreConf& store, std::string (StoreNames::*name)() const);

// The node of larder_daemon; null: not configured.
Node* queue_node();

void open_nodes(ngx_cycle_t* cycle, MainConf& conf);
void close_nodes();

}  // namespace larder::ngx
