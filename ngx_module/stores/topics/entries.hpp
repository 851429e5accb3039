// Entries in a store. Asynchronous: a handler is called later, from the event loop, or before the function returns if
// the connection fails meanwhile. After the worker has stopped its stores, none is called.
#pragma once

#include <functional>
#include <string_view>

#include "cache/request/key.hpp"
#include "cache/response/policy.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

struct StoreAnswer {
    bool failed = false;
    std::string_view entry;  // not checked; empty: none, or failed
};

// Returns false, and never calls the handler, if the store is down.
bool get_entry(const StoreConf& store, const Key& key, std::function<void(StoreAnswer)> handler);

// Stores the entry, which is `prefix` and `body` together, and indexes it by its tags. The handler is told whether it
// was stored. Returns false, and never calls the handler, if nothing was sent: the store is down, or the entry is
// dead or too large for it.
bool put_entry(const StoreConf& store, const Key& key, std::string_view prefix, std::string_view body, const Policy& policy,
               std::function<void(bool stored)> handler);

void forget_entry(const StoreConf& store, const Key& key);

}  // namespace larder::ngx
