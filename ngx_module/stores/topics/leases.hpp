// Leases: the right to fill a key, among all machines that share a store.
#pragma once

#include <functional>

#include "cache/request/key.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

struct LeaseAnswer {
    bool refused = false;     // another machine has it; otherwise it is ours, or the store can't tell
    bool ours = false;        // to be released
    bool passes = false;      // nothing to fill: a machine found that the key's answers can't be stored
    ngx_msec_t again_ms = 0;  // refused: when to ask again at the latest, in ms; passes: how long the pass lasts
};
// Returns false, and never calls the handler, if the store is down. The lease expires after `ttl_ms`.
bool claim_lease(const StoreConf& store, const Key& key, ngx_msec_t ttl_ms,
                 std::function<void(LeaseAnswer)> handler);
void release_lease(const StoreConf& store, const Key& key);
// Replaces the lease by a mark that tells the other machines that the key's answers can't be stored.
void pass_lease(const StoreConf& store, const Key& key, ngx_msec_t for_ms);

}  // namespace larder::ngx
