// The right to fill a key: the zone's fill lock among the requests of this nginx, and the store's lease among the machines that
// share the store. Claimed in the precontent phase; given back when the fill ends.
#pragma once

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The zone's lock ends by itself after so long. It normally ends with its fill, or, if its worker dies, when the next worker starts.
inline constexpr std::int64_t fill_lease_ms = 60'000;
// How long a key whose answers can't be stored goes straight to the backend, in full and without waiting for others.
inline constexpr std::int64_t pass_ms = 60'000;

// Whether the fill may begin, as far as other machines are concerned. wait: the request has to be suspended, and will be resumed;
// pass: the key's answers can't be stored, and what was claimed is given back. Precondition: ctx->claimed.
near_cache::Fill may_fill(Ctx* ctx);
// Gives back what was claimed for a fill that has not begun.
void unclaim(Ctx* ctx);
// After the fill: gives back the store's lease, if there is one.
void end_lease(Ctx* ctx, const Key& key);
// The same, and tells the other machines that answers for this key can't be stored.
void end_lease_with_pass(Ctx* ctx, const Key& key);

}  // namespace larder::ngx
