// Which server is the primary? From what each says about itself, with distrust.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/replicas/decide/position.hpp"

namespace larder::replicas {

enum class Role : std::uint8_t {
    unknown,  // has not answered lately
    primary,
    replica,
    quarantined,  // says it is a primary but isn't the one we trust, or belongs to another cluster
};

// What one probe learned from a server.
struct Observation {
    bool in_recovery = false;
    std::uint32_t timeline = 0;
    Lsn position = 0;  // end of the last record inserted (primary) or replayed (replica)
    WalLayout wal{};
    bool streaming = false;  // replica: its WAL receiver is connected
    bool replay_paused = false;
    std::uint64_t system = 0;   // pg_control_system().system_identifier: same for all servers of a cluster
    std::int64_t instance = 0;  // pg_postmaster_start_time() in microseconds: tells two servers apart
    unsigned active = 0;        // client backends executing a statement, the probe's own excluded
    unsigned max_connections = 0;
    double latency_ms = 0;  // how long the probe took
};

// What must be remembered from one judgement to the next.
struct Trust {
    std::uint64_t system = 0;    // the cluster we look after; 0: none seen yet
    std::uint32_t timeline = 0;  // the newest that a primary had
    int primary = -1;            // index of the primary we trusted last; -1: none yet
};

struct Judgement {
    std::vector<Role> roles;          // for each server
    std::vector<std::string> alarms;  // sentences; they name servers by `aliases`
    Trust trust;
};

// `seen[i]` is server i's newest answer, or null when it doesn't answer. Index 0 is the configured primary.
// Of several servers out of recovery the one on the highest timeline is the primary (a promotion starts a new
// one); on the same timeline the one trusted before; the others are quarantined. One that shares system and
// start time with the primary is the same server under another alias and no alarm. A timeline lower than one
// seen before is never trusted again.
Judgement judge_roles(std::span<const Observation* const> seen, std::span<const std::string> aliases,
                      const Trust& before);

}  // namespace larder::replicas
