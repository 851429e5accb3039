// Health checks in forms that load balancers understand: the paths of Patroni's REST API, and HAProxy's agent-check.
//
//   GET /primary[?node=ALIAS]                  200 when that node is the primary
//   GET /replica[?node=ALIAS][&lag=2s]         200 when it is a replica in rotation, with at most this lag
//   GET /read-only[?node=ALIAS][&lag=2s]       200 for either
//   GET /agent?node=ALIAS                      HAProxy's agent-check text (agent_check below)
//
// Otherwise 503. A malformed query is a 400, an unknown node or database a 404. Without `node`, it is enough that any node
// qualifies. `database=NAME` restricts the check to this database. Units of lag: ms, s, min, h; without a unit, ms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/replicas/status.hpp"

namespace larder::replicas {

struct HealthAnswer {
    int status = 404;  // HTTP status code
    const char* content_type = "application/json";
    std::string body;      // to_json() of the nodes asked about; {"error": SENTENCE} for 400 and 404
    std::string reason{};  // reason phrase of the status line; empty: the standard one
};

// Answers a check; a pure function. `path`: without the query. `query`: as in the request, without '?'.
HealthAnswer health(const std::vector<NodeStatus>& nodes, std::string_view path, std::string_view query);

// One line for HAProxy's agent-check, newline included: "up 75% ready", "drain", "down #lag 12000 ms". The percentage is the
// share of the server's connections that are not busy, at least 1. "ready" ends an earlier "drain".
//
// HAProxy reads only the first line of an answer, and ignores words that it doesn't know. The same text is the reason
// phrase of the HTTP answer, so HAProxy can ask larderd directly: `agent-send "GET /agent?node=ALIAS
// HTTP/1.0\r\nAuthorization:\ Bearer\ TOKEN\r\n\r\n"`.
std::string agent_check(const std::vector<NodeStatus>& nodes, std::string_view alias);

}  // namespace larder::replicas
