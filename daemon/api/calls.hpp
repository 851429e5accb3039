// The calls of the API: one function each, from parsed request to answer. They throw BadBody (body.hpp) for a bad request.
#pragma once

#include <functional>
#include <map>

#include "daemon/api/server.hpp"
#include "daemon/clock.hpp"
#include "daemon/metrics.hpp"
#include "daemon/purge/outbox.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/render/gate.hpp"
#include "daemon/stores/stores.hpp"

namespace larder::daemon {

struct ApiParts {
    const LiveSettings& settings;
    Queue& queue;
    const Stores& stores;
    Outbox& outbox;
    Gate& gate;
    Metrics& metrics;
    std::function<std::size_t()> in_hand;  // number of claimed jobs
    std::function<bool()> draining;
    std::function<void()> drain;            // starts draining and returns at once
    std::function<std::string()> replicas;  // JSON; no function: no [[database]] is configured
    std::function<std::map<std::string, std::uint64_t>()> refused_positions;  // by database; no function: likewise
    UnixMs started_ms = 0;
};

// POST /v1/purge  {"tags": [...], "urls": [...], "mode": "soft"|"hard", "position": "NAME/SYSTEM/TIMELINE/LSN"}
ApiAnswer purge_call(const ApiParts& parts, const ApiRequest& request);
// POST /v1/refresh  {"urls": [...]}: enqueues a job for each stored variant of these pages.
ApiAnswer refresh_call(const ApiParts& parts, const ApiRequest& request);
// POST /v1/warm  {"urls": [...]}: enqueues a job for the variant that a visitor without cookies gets. Fresh entries are
// not rendered.
ApiAnswer warm_call(const ApiParts& parts, const ApiRequest& request);
// GET /v1/explain?url=URL
ApiAnswer explain_call(const ApiParts& parts, const ApiRequest& request);
// GET /v1/status
ApiAnswer status_call(const ApiParts& parts);
// GET /metrics
ApiAnswer metrics_call(const ApiParts& parts);
// GET /  the status page, HTML
ApiAnswer page_call(const ApiParts& parts);

// Registers all of them, and POST /v1/drain and GET /healthz. `parts` must outlive the server.
void add_calls(ApiServer& server, const ApiParts& parts);

}  // namespace larder::daemon
