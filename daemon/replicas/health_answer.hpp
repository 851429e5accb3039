// Health endpoints that load balancers already understand: Patroni's paths, and HAProxy's agent-check.
//
//   GET /primary[?node=ALIAS]                  200 when that node is the primary
//   GET /replica[?node=ALIAS][&lag=2s]         200 when it is a replica in rotation, and no later than that
//   GET /read-only[?node=ALIAS][&lag=2s]       200 for either
//   GET /agent?node=ALIAS                      HAProxy's agent-check text (agent_check below)
// Otherwise 503, and 400 or 404 for a question that has no answer. Without `node` the question is whether any
// node qualifies. lag= takes ms, s, min, h; a bare number is milliseconds. `database=NAME` restricts to that
// database.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/replicas/status.hpp"

namespace larder::replicas {

struct HealthAnswer {
    int status = 404;  // HTTP status code
    const char* content_type = "application/json";
    std::string body;      // to_json() of the nodes asked about; a sentence in {"error": ...} for 400 and 404
    std::string reason{};  // of the status line; empty: the usual one
};

// `path` without the query; `query` as in the request, without '?'. Pure.
HealthAnswer health(const std::vector<NodeStatus>& nodes, std::string_view path, std::string_view query);

// One line for HAProxy's agent-check, newline included: "up 75% ready", "drain", "down #lag 12000 ms". The percentage is the
// part of the server's connections that isn't busy, at least 1. "ready" takes back a "drain" said before.
// HAProxy reads the first line that comes, and of this the words it knows. So the same text is the reason phrase of the HTTP
// answer, and `agent-send "GET /agent?node=ALIAS HTTP/1.0\r\nAuthorization:\ Bearer\ TOKEN\r\n\r\n"` asks larderd itself.
std::string agent_check(const std::vector<NodeStatus>& nodes, std::string_view alias);

}  // namespace larder::replicas
