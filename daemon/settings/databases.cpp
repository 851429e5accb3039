// Copies field by field.
#include "databases.hpp"

namespace larder::daemon {

namespace {

replicas::NodeSettings node(const Node& from) {
    return {from.alias, from.dsn, static_cast<unsigned>(from.weight)};
}

}  // namespace

std::vector<replicas::DatabaseSettings> replica_settings(const Settings& settings) {
    std::vector<replicas::DatabaseSettings> out;
    for (const DatabaseSettings& from : settings.databases) {
        replicas::DatabaseSettings& to = out.emplace_back();
        to.name = from.name;
        to.primary = node(from.primary);
        for (const Node& replica : from.replica) to.replicas.push_back(node(replica));
        to.max_lag_ms = from.max_lag.count();
        to.hard_max_lag_ms = from.hard_max_lag.count();
        to.probe_interval_ms = from.probe_interval.count();
        to.probe_timeout_ms = from.probe_timeout.count();
        to.primary_jobs = static_cast<unsigned>(from.primary_jobs);
        to.primary_rate = from.primary_rate;
        to.primary_burst = static_cast<unsigned>(from.primary_burst);
        to.primary_live = static_cast<unsigned>(from.primary_live);
    }
    return out;
}

}  // namespace larder::daemon
