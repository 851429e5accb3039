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
    std::string body;  // to_json() of the nodes asked about; a sentence in {"error": ...} for 400 and 404
};

// `path` without the query; `query` as in the request, without '?'. Pure.
HealthAnswer health(const std::vector<NodeStatus>& nodes, std::string_view path, std::string_view query);

// One line for HAProxy's agent-check ("agent-send ALIAS\n"), newline included: "up 75%", "drain", "down#lag
// 12000 ms". The percentage is the part of the server's connections that isn't busy, at least 1.
std::string agent_check(const std::vector<NodeStatus>& nodes, std::string_view alias);

}  // namespace larder::replicas
