// Finds out which server is the primary, from what each server says about itself. Detects split brain and servers of other
// clusters.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cache/position.hpp"

namespace larder::replicas {

enum class Role : std::uint8_t {
    unknown,  // has not answered lately
    primary,
    replica,
    quarantined,  // takes writes but isn't the trusted primary, or belongs to another cluster; gets no work
};

// The answer to one probe.
struct Observation {
    bool in_recovery = false;
    std::uint32_t timeline = 0;
    Lsn position = 0;  // end of the last record inserted (primary) or replayed (replica)
    WalLayout wal{};
    bool streaming = false;  // replica: its WAL receiver is connected
    bool replay_paused = false;
    std::uint64_t system = 0;   // pg_control_system().system_identifier: the same for all servers of a cluster
    std::int64_t instance = 0;  // pg_postmaster_start_time() in microseconds: distinguishes servers
    unsigned active = 0;        // client backends that are executing a statement, without the probe's
    unsigned max_connections = 0;
    double latency_ms = 0;  // how long the probe took
};

// The state that is carried from one judgement to the next.
struct Trust {
    std::uint64_t system = 0;    // system identifier of the trusted cluster; 0: none seen yet
    std::uint32_t timeline = 0;  // the highest on which a primary was seen
    int primary = -1;            // index of the trusted primary; -1: none yet
};

struct Judgement {
    std::vector<Role> roles;          // by server
    std::vector<std::string> alarms;  // sentences that name servers by alias
    Trust trust;
};

// `seen[i]`: server i's newest answer, or null if it doesn't answer. Index 0 is the configured primary.
//
// If several servers are out of recovery, the one on the highest timeline is the primary, because a promotion starts a new
// timeline. On the same timeline, it is the one that was trusted before. The others are quarantined, unless they have the
// same system identifier, timeline and start time as the primary: then they are the same server under another alias. A
// server on a lower timeline than one seen before never becomes primary.
Judgement judge_roles(std::span<const Observation* const> seen, std::span<const std::string> aliases,
                      const Trust& before);

}  // namespace larder::replicas
