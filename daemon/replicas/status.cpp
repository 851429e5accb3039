// The status as JSON.
#include "daemon/replicas/status.hpp"

#include <nlohmann/json.hpp>

namespace larder::replicas {

const char* to_string(Role role) {
    switch (role) {
        case Role::unknown:
            return "unknown";
        case Role::primary:
            return "primary";
        case Role::replica:
            return "replica";
        case Role::quarantined:
            return "quarantined";
    }
    return "unknown";
}

namespace {

using Json = nlohmann::ordered_json;

Json to_object(const NodeStatus& node) {
    return {
        {"alias", node.alias},
        {"role", to_string(node.role)},
        {"in_rotation", node.in_rotation},
        {"reason", node.reason},
        {"answering", node.answering},
        {"lag_ms", node.lag.bound == Bound::unknown ? Json(nullptr) : Json(node.lag.ms)},
        {"lag_bound", to_string(node.lag.bound)},
        {"position",
         node.position == 0 ? Json(nullptr) : Json(timeline_and_lsn(node.timeline, node.position))},
        {"streaming", node.streaming},
        {"replay_paused", node.replay_paused},
        {"active", node.active},
        {"max_connections", node.max_connections},
        {"in_flight", node.in_flight},
        {"weight", node.weight},
        {"latency_ms", node.latency_ms},
        {"probes", node.probes},
        {"failures", node.failures},
        {"chosen", node.chosen},
        {"last_error", node.last_error},
    };
}

}  // namespace

std::string to_json(const std::vector<NodeStatus>& nodes, const std::vector<std::string>& alarms) {
    Json databases = Json::array();
    for (const NodeStatus& node : nodes) {
        if (databases.empty() || databases.back()["name"] != node.database) {
            databases.push_back({{"name", node.database}, {"nodes", Json::array()}});
        }
        databases.back()["nodes"].push_back(to_object(node));
    }
    // Error messages of servers may not be UTF-8, depending on lc_messages.
    return Json{{"databases", databases}, {"alarms", alarms}}.dump(-1, ' ', false,
                                                                   Json::error_handler_t::replace);
}

}  // namespace larder::replicas
