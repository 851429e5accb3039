// Which database server a render reads from, as told to the backend in the signed Larder-Route header.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cache/job.hpp"
#include "cache/request/variant.hpp"
#include "daemon/replicas/decide/fences.hpp"

namespace larder::daemon {

struct Route {
    bool hold = false;                         // render later: no server is good enough now
    std::chrono::milliseconds retry_after{0};  // when hold
    std::string header;                        // value of Larder-Route; empty: send none
    std::string reason;                        // for logs
    std::shared_ptr<void> token;               // counts as load on the server while it lives
    std::vector<replicas::Replaced> replaced;  // positions that no server can have
};

// `positions`: what the render must have seen. `waited`: the job's age by the queue's clock. `deadline_ms`: Unix time by which the
// backend must have answered. May be called from any thread; does no I/O.
using Router = std::function<Route(const Job& job, const Variant& variant, std::span<const std::string> positions,
                                   std::chrono::milliseconds waited, std::int64_t deadline_ms)>;

}  // namespace larder::daemon
