// The right to fill a key, among all machines that share a store.
#pragma once

#include <functional>

#include "cache/request/key.hpp"
#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

struct LeaseAnswer {
    bool refused = false;     // another machine has it; otherwise it is ours, or the store can't say
    bool ours = false;        // to be given back
    bool passes = false;      // there is nothing to fill: a machine found that answers for this key can't be stored
    ngx_msec_t again_ms = 0;  // refused: when to ask again, if nothing was heard before; passes: how long that holds
};
// False (and no call) when the store is down. The lease ends by itself after `ttl_ms`.
bool claim_lease(const StoreConf& store, const Key& key, ngx_msec_t ttl_ms,
                 std::function<void(LeaseAnswer)> handler);
void release_lease(const StoreConf& store, const Key& key);
// In the place of the lease: tells the other machines that answers for this key can't be stored.
void pass_lease(const StoreConf& store, const Key& key, ngx_msec_t for_ms);

}  // namespace larder::ngx
