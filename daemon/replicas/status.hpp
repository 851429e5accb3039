// What is known about each database server, for people and their tools.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/replicas/decide/lsn_ring.hpp"
#include "daemon/replicas/decide/position.hpp"
#include "daemon/replicas/decide/roles.hpp"

namespace larder::replicas {

struct NodeStatus {
    std::string database;
    std::string alias;
    Role role = Role::unknown;
    bool in_rotation = false;    // gets work; for a primary: it answers
    std::string reason;          // why it is not in rotation; empty when it is
    bool answering = false;      // the newest probe got an answer
    Lag lag;                     // of a replica; a primary's is 0
    Lsn position = 0;            // inserted up to here (primary), replayed up to here (replica)
    std::uint32_t timeline = 0;  // 0: not known yet
    bool streaming = false;      // a replica that receives WAL from a server
    bool replay_paused = false;
    unsigned active = 0;  // client backends of the server that are executing now
    unsigned max_connections = 0;
    unsigned in_flight = 0;  // choices of this node whose token is still held
    unsigned weight = 1;
    double latency_ms = 0;  // of the probe, exponentially weighted (alpha 0.2)
    std::uint64_t probes = 0;
    std::uint64_t failures = 0;  // of these
    std::uint64_t chosen = 0;
    std::string last_error;  // of the newest probe that failed since the last that didn't
};

const char* to_string(Role role);

// {"databases":[{"name":..., "nodes":[...]}], "alarms":[...]}; times in ms, positions as "1/16B3748"
// (timeline/LSN).
std::string to_json(const std::vector<NodeStatus>& nodes, const std::vector<std::string>& alarms);

}  // namespace larder::replicas
