// What the operator says about databases: one struct for each [[database]] of larderd.toml.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace larder::replicas {

// One server. An alias is what the site calls it (Django: its name in DATABASES); a DSN is libpq's connection
// string or URI and names one server, directly, never through a pooler (which would hide which server
// answers).
struct NodeSettings {
    std::string alias;  // 1 to 63 of A-Z a-z 0-9 _ -, unique over all databases
    std::string dsn;
    unsigned weight = 1;  // 1 to 1000: share of the work beside the other replicas; of no effect on a primary
};

struct DatabaseSettings {
    std::string name = "default";  // as in positions "NAME/SYSTEM/TIMELINE/LSN"; characters as in an alias; unique
    NodeSettings primary;
    std::vector<NodeSettings> replicas;  // 1 to 32
    std::int64_t max_lag_ms = 1000;      // 10 to 3,600,000: later than this, a replica is out of the rotation
    // max_lag_ms to 86,400,000: later than this, a replica is never used while a primary answers.
    std::int64_t hard_max_lag_ms = 30000;
    std::int64_t probe_interval_ms = 250;  // 20 to 10,000
    std::int64_t probe_timeout_ms = 200;   // 10 to 10,000: for connecting, and again for each probe
    unsigned primary_jobs = 2;   // 0 to 1000: background jobs on the primary at one time; 0: none, ever
    double primary_rate = 1.0;   // 0.01 to 1000: background jobs a second on the primary, in the long run ...
    unsigned primary_burst = 4;  // 1 to 1000: ... and at once after a pause
    unsigned primary_live = 20;  // 0 to 10,000: live requests sent to the primary at one time
};

// Something that is wrong with the settings.
struct Problem {
    std::size_t database = 0;  // index into the list that was checked
    std::string key;           // below [[database]] in larderd.toml: "max_lag", "replica[1].weight"
    std::string text;          // the value seen and what would be legal; never a password
};

// All problems, in order; empty when the settings can be used. Doesn't connect to anything.
std::vector<Problem> validate(const std::vector<DatabaseSettings>& databases);

}  // namespace larder::replicas
