// The database server that a render reads from. The backend learns it from the signed header Larder-Route.
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
    bool hold = false;                         // don't render now: no server is fresh enough
    std::chrono::milliseconds retry_after{0};  // with hold: when to ask again
    std::string header;                        // value of Larder-Route; empty: send none
    std::string reason;                        // of the choice, for logs
    std::shared_ptr<void> token;               // counts as load on the server as long as it exists
    std::vector<replicas::Replaced> replaced;  // positions that no server can ever reach, with what to store in their place
};

// Chooses the server for a render. `positions`: commit positions that the server must have replayed. `waited`: the job's
// age by the queue's clock. `deadline_ms`: Unix time by which the backend must have answered. Thread-safe; does no I/O.
using Router = std::function<Route(const Job& job, const Variant& variant, std::span<const std::string> positions,
                                   std::chrono::milliseconds waited, std::int64_t deadline_ms)>;

}  // namespace larder::daemon
