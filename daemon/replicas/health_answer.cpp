// Health checks for load balancers.
#include "daemon/replicas/health_answer.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

namespace larder::replicas {

namespace {

constexpr std::int64_t longest_lag_ms = 86400000;

HealthAnswer refuse(int status, const std::string& sentence) {
    HealthAnswer answer;
    answer.status = status;
    answer.body =
        nlohmann::json{{"error", sentence}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
        "\n";
    return answer;
}

std::optional<std::int64_t> parse_lag_ms(std::string_view text) {
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || number < 0 || number > longest_lag_ms) return std::nullopt;
    std::string_view unit(rest, static_cast<std::size_t>(end - rest));
    for (auto [name, factor] : {std::pair{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}}) {
        if (unit == name) return number * factor;
    }
    return std::nullopt;
}

struct Question {
    std::string_view node;
    std::string_view database;
    std::optional<std::int64_t> lag_ms;
};

// Parses the query. Returns an error message; empty on success.
std::string read_query(std::string_view query, Question& question) {
    while (!query.empty()) {
        std::string_view part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), part.size() + 1));
        std::string_view name = part.substr(0, part.find('='));
        std::string_view value = part.substr(std::min(part.size(), name.size() + 1));
        if (name == "node") {
            question.node = value;
        } else if (name == "database") {
            question.database = value;
        } else if (name == "lag") {
            question.lag_ms = parse_lag_ms(value);
            if (!question.lag_ms)
                return "lag=" + std::string(value) + " is not a time; legal are e.g. 500ms, 2s, 1min, 1h";
        } else if (!part.empty()) {
            return "unknown parameter " + std::string(name) + "; legal are node, database and lag";
        }
    }
    return "";
}

bool is_primary(const NodeStatus& node) {
    return node.role == Role::primary;
}

// Whether the replica is in rotation, and its lag is known to be within the limit. A lower bound of the lag is not enough.
bool is_good_replica(const NodeStatus& node, const Question& question) {
    if (node.role != Role::replica || !node.in_rotation) return false;
    bool known = node.lag.bound == Bound::exact || node.lag.bound == Bound::at_most;
    return !question.lag_ms || (known && node.lag.ms <= *question.lag_ms);
}

HealthAnswer agent_answer(const std::string& line) {
    return {
        .status = 200, .content_type = "text/plain", .body = line, .reason = line.substr(0, line.find('\n'))};
}

}  // namespace

HealthAnswer health(const std::vector<NodeStatus>& nodes, std::string_view path, std::string_view query) {
    bool agent = path == "/agent";
    bool primary_will_do = path == "/primary" || path == "/read-only";
    bool replica_will_do = path == "/replica" || path == "/read-only";
    if (!agent && !primary_will_do && !replica_will_do) {
        return refuse(404, "no such check; there are /primary, /replica, /read-only and /agent");
    }
    Question question;
    if (std::string wrong = read_query(query, question); !wrong.empty()) return refuse(400, wrong);
    std::vector<NodeStatus> asked;
    std::copy_if(nodes.begin(), nodes.end(), std::back_inserter(asked), [&](const NodeStatus& node) {
        return (question.node.empty() || node.alias == question.node) &&
               (question.database.empty() || node.database == question.database);
    });
    if (asked.empty()) return refuse(404, "no such node or database");
    if (agent) {
        if (question.node.empty()) return refuse(400, "/agent needs node=ALIAS");
        return agent_answer(agent_check(asked, question.node));
    }
    bool yes = std::any_of(asked.begin(), asked.end(), [&](const NodeStatus& node) {
        return (primary_will_do && is_primary(node)) || (replica_will_do && is_good_replica(node, question));
    });
    HealthAnswer answer;
    answer.status = yes ? 200 : 503;
    answer.body = to_json(asked, {}) + "\n";
    return answer;
}

std::string agent_check(const std::vector<NodeStatus>& nodes, std::string_view alias) {
    auto node =
        std::find_if(nodes.begin(), nodes.end(), [alias](const NodeStatus& n) { return n.alias == alias; });
    if (node == nodes.end()) return "fail #no such node\n";
    if (node->role == Role::unknown) return "down #no answer\n";
    if (node->role == Role::quarantined) return "down #quarantined\n";
    if (!node->in_rotation) {
        bool late = node->lag.bound == Bound::exact || node->lag.bound == Bound::at_least;
        // A replica that is late but still replays may finish its running queries. Others are down.
        if (late && node->streaming) return "drain\n";
        return late ? "down #lag " + std::to_string(node->lag.ms) + " ms\n" : "down #freshness unknown\n";
    }
    unsigned busy =
        node->max_connections == 0 ? 0 : std::min(100u, node->active * 100 / node->max_connections);
    return "up " + std::to_string(std::max(1u, 100 - busy)) + "% ready\n";
}

}  // namespace larder::replicas
