// Regeneration in the background: by the daemon, or, when there is none, by this worker with a request of its own.
#pragma once

#include <cstdint>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

struct Ctx;

// After a regeneration that failed, nobody tries again for this long.
inline constexpr std::int64_t refresh_retry_ms = 1000;

// The entry of ctx is stale: has it regenerated, unless somebody is at it already.
void request_refresh(ngx_http_request_t* r, Ctx* ctx);

void stop_refreshes();

}  // namespace larder::ngx
