// The settings of the databases: one struct for each [[database]] section of larderd.toml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace larder::replicas {

// One server. The alias is the site's name for it; in Django, its key in DATABASES. The DSN is a libpq connection string
// or URI. It must lead to the server directly, not through a pooler, behind which any server might answer.
struct NodeSettings {
    std::string alias;  // 1 to 63 of A-Z a-z 0-9 _ -, unique over all databases
    std::string dsn;
    unsigned weight = 1;  // 1 to 1000: share of the work relative to the other replicas; no effect for a primary
};

struct DatabaseSettings {
    std::string name = "default";  // as in positions "NAME/SYSTEM/TIMELINE/LSN"; characters as in an alias; unique
    NodeSettings primary;
    std::vector<NodeSettings> replicas;  // 1 to 32
    std::int64_t max_lag_ms = 1000;      // 10 to 3,600,000: with more lag, a replica leaves the rotation
    // max_lag_ms to 86,400,000: with more lag, a replica is never used while a primary answers.
    std::int64_t hard_max_lag_ms = 30000;
    std::int64_t probe_interval_ms = 250;  // 20 to 10,000
    std::int64_t probe_timeout_ms = 200;   // 10 to 10,000: for connecting, and again for the query
    unsigned primary_jobs = 2;   // 0 to 1000: simultaneous background jobs on the primary; 0: none, ever
    double primary_rate = 1.0;   // 0.01 to 1000: background jobs per second on the primary, on average
    unsigned primary_burst = 4;  // 1 to 1000: background jobs at once on the primary, after a pause
    unsigned primary_live = 20;  // 0 to 10,000: simultaneous live requests on the primary
};

// An error in the settings.
struct Problem {
    std::size_t database = 0;  // index into the list that was checked
    std::string key;           // below [[database]] in larderd.toml: "max_lag", "replica[1].weight"
    std::string text;          // the value and what is legal; never a password
};

// Returns all errors, in order; none if the settings are valid. Connects to no server.
std::vector<Problem> validate(const std::vector<DatabaseSettings>& databases);

}  // namespace larder::replicas
