// Entries in a store. Asynchronous: handlers run later, from the event loop, or before the call returns if the connection is
// lost meanwhile; none runs once the worker stops.
#pragma once

#include <functional>
#include <string_view>

#include "cache/request/key.hpp"
#include "cache/response/policy.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

struct StoreAnswer {
    bool failed = false;
    std::string_view entry;  // unchecked bytes; empty: none, or failed
};

// False (and no call) when the store is down.
bool get_entry(const StoreConf& store, const Key& key, std::function<void(StoreAnswer)> handler);

// Indexes and stores; best effort. `prefix` and `body` together are the entry. The handler is told whether the store has
// it. False (and no call) when nothing was sent.
bool put_entry(const StoreConf& store, const Key& key, std::string_view prefix, std::string_view body, const Policy& policy,
               std::function<void(bool stored)> handler);

void forget_entry(const StoreConf& store, const Key& key);

}  // namespace larder::ngx
