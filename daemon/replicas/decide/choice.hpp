// The choice: which server, or none. Numbers in, decision out; clock, I/O and luck are passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "daemon/replicas/decide/lsn_ring.hpp"
#include "daemon/replicas/decide/position.hpp"
#include "daemon/replicas/decide/roles.hpp"

namespace larder::replicas {

enum class Class : std::uint8_t {
    background,  // regeneration: may be held, as something stale is being served meanwhile
    live,        // someone waits
};

struct Candidate {
    Role role = Role::unknown;
    bool in_rotation = false;  // by hysteresis (rotation.hpp)
    Lag lag;
    Lsn replayed = 0;
    std::uint32_t timeline = 0;
    unsigned in_flight = 0;
    double busy = 0;  // active backends / max_connections, 0 to 1
    double latency_ms = 0;
    unsigned weight = 1;
};

// What the work must have seen.
enum class FenceKind : std::uint8_t {
    none,
    position,  // `timeline` and `lsn`
    unclear,   // not to be told before a further probe: only the primary is safe
};
struct Fence {
    FenceKind kind = FenceKind::none;
    std::uint32_t timeline = 0;
    Lsn lsn = 0;
};
// Who satisfies it satisfies both.
Fence stricter(const Fence& a, const Fence& b);

struct Situation {
    std::span<const Candidate> nodes;
    std::uint32_t timeline = 0;  // of the primary we trust; 0: none seen yet
    bool primary_answers = false;
    std::int64_t hard_max_lag_ms = 30000;
    std::int64_t probe_interval_ms = 250;
    std::int64_t primary_token_ms = 1000;  // time between two tokens
    unsigned background_on_primary = 0;    // in flight
    unsigned live_on_primary = 0;          // in flight
    unsigned primary_jobs = 2;
    unsigned primary_live = 20;
    std::function<bool()> take_primary_token;  // asked last, so that a token is only taken when used
    std::function<double()> random;            // uniform in [0, 1)
};

struct Decision {
    std::optional<std::size_t> node;  // index into nodes; nothing: hold
    bool primary = false;             // that node is the primary
    std::int64_t retry_after_ms = 0;  // when held
    bool awaits_probe = false;        // held for a fence alone: probing sooner than planned would help
    const char* reason = "";
};

// The ladder. Everyone: a replica in rotation that satisfies the fence, by power of two choices. Then
//   background, patience_used < 0.8: hold. From 0.8 on: the least-lagged replica up to hard_max_lag_ms that
//     satisfies the fence, else the primary under its cap and token bucket, else hold.
//   live: the least-lagged at once, else the primary under its own cap, else hold (serve stale or 503).
// An unclear fence: held for a probe, which clears it; live, and background when its patience ends: the primary alone,
// likewise capped. With no primary answering, lag no longer excludes anyone, but the fence does: a replica without the
// write is never chosen.
Decision decide(const Situation& situation, Class urgency, const Fence& fence, double patience_used);

}  // namespace larder::replicas
