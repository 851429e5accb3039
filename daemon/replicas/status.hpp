// The state of each database server, for the API and larderctl.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/replicas/decide/lsn_ring.hpp"
#include "cache/position.hpp"
#include "daemon/replicas/decide/roles.hpp"

namespace larder::replicas {

struct NodeStatus {
    std::string database;
    std::string alias;
    Role role = Role::unknown;
    bool in_rotation = false;    // replica: gets work; primary: answers
    std::string reason;          // why it is not in rotation; empty when it is
    bool answering = false;      // the newest probe got an answer
    Lag lag;                     // of a replica; a primary's is 0
    Lsn position = 0;            // primary: end of the last record inserted; replica: of the last record replayed
    std::uint32_t timeline = 0;  // 0: not known yet
    bool streaming = false;      // a replica that receives WAL from a server
    bool replay_paused = false;
    unsigned active = 0;  // client backends that are executing a statement
    unsigned max_connections = 0;
    unsigned in_flight = 0;  // renders that read from this node now: tokens that exist
    unsigned weight = 1;
    double latency_ms = 0;  // of probes: moving average, exponentially weighted (alpha 0.2)
    std::uint64_t probes = 0;
    std::uint64_t failures = 0;  // of these
    std::uint64_t chosen = 0;
    std::string last_error;  // of the newest probe; empty if that was answered
};

const char* to_string(Role role);

// {"databases":[{"name":..., "nodes":[...]}], "alarms":[...]}; times in ms, positions as "1/16B3748"
// (timeline/LSN).
std::string to_json(const std::vector<NodeStatus>& nodes, const std::vector<std::string>& alarms);

}  // namespace larder::replicas
