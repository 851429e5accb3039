// What the API can be asked: one function for each call, from parsed request to answer.
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
    std::function<std::size_t()> in_hand;  // jobs
    std::function<bool()> draining;
    std::function<void()> drain;            // begins; doesn't wait
    std::function<std::string()> replicas;  // JSON; empty function: no databases
    std::function<std::map<std::string, std::uint64_t>()> refused_positions;  // by database; empty function likewise
    UnixMs started_ms = 0;
};

// POST /v1/purge  {"tags": [...], "urls": [...], "mode": "soft"|"hard", "position": "NAME/SYSTEM/TIMELINE/LSN"}
ApiAnswer purge_call(const ApiParts& parts, const ApiRequest& request);
// POST /v1/refresh  {"urls": [...]}: renders anew all that is stored for them.
ApiAnswer refresh_call(const ApiParts& parts, const ApiRequest& request);
// POST /v1/warm  {"urls": [...]}: renders what a first-time visitor would get, unless it is fresh.
ApiAnswer warm_call(const ApiParts& parts, const ApiRequest& request);
// GET /v1/explain?url=URL
ApiAnswer explain_call(const ApiParts& parts, const ApiRequest& request);
// GET /v1/status
ApiAnswer status_call(const ApiParts& parts);
// GET /metrics
ApiAnswer metrics_call(const ApiParts& parts);
// GET /
ApiAnswer page_call(const ApiParts& parts);

// Hangs all of them, and POST /v1/drain and GET /healthz, into the server.
void add_calls(ApiServer& server, const ApiParts& parts);

}  // namespace larder::daemon
