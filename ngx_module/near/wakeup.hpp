// Requests that wait for another's fill, in this worker and in others. Each worker has an eventfd, made before the fork, so
// whoever ends a fill wakes exactly the workers that wait for it: no polling. The zone says for which keys, so that a worker
// resumes no other requests.
#pragma once

#include <cstdint>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

struct Ctx;

// In the master, before workers start.
ngx_int_t prepare_wakeups(ngx_cycle_t* cycle);
void start_wakeups(ngx_cycle_t* cycle);
void stop_wakeups();

void start_waiting(Ctx* ctx);
bool stop_waiting(Ctx* ctx);  // false when it doesn't

// `workers`: a bit mask, as the near cache gives it.
void wake_workers(std::uint64_t workers);

}  // namespace larder::ngx
