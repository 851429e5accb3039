// The decision which server to read from, as a pure function: clock, rate limit and random numbers are passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "daemon/replicas/decide/lsn_ring.hpp"
#include "cache/position.hpp"
#include "daemon/replicas/decide/roles.hpp"

namespace larder::replicas {

enum class Class : std::uint8_t {
    background,  // a regeneration: may be held, because visitors get the stale entry meanwhile
    live,        // a visitor waits for it
};

struct Candidate {
    Role role = Role::unknown;
    bool in_rotation = false;  // see rotation.hpp
    Lag lag;
    Lsn replayed = 0;
    std::uint32_t timeline = 0;
    unsigned in_flight = 0;
    double busy = 0;  // active backends / max_connections, 0 to 1
    double latency_ms = 0;
    unsigned weight = 1;
};

// What a server must have replayed to be chosen.
enum class FenceKind : std::uint8_t {
    none,
    position,  // `lsn` on `timeline`
    unclear,   // unknown until the next probe; only the primary is safe
};
struct Fence {
    FenceKind kind = FenceKind::none;
    std::uint32_t timeline = 0;
    Lsn lsn = 0;
};
// The fence of the two that is harder to satisfy. For positions on different timelines, the one on the higher timeline.
Fence stricter(const Fence& a, const Fence& b);

struct Situation {
    std::span<const Candidate> nodes;
    std::uint32_t timeline = 0;  // of the trusted primary; 0: none seen yet
    bool primary_answers = false;
    std::int64_t hard_max_lag_ms = 30000;
    std::int64_t probe_interval_ms = 250;
    std::int64_t primary_token_ms = 1000;  // time between two tokens of the primary's token bucket
    unsigned background_on_primary = 0;    // in flight
    unsigned live_on_primary = 0;          // in flight
    unsigned primary_jobs = 2;
    unsigned primary_live = 20;
    std::function<bool()> take_primary_token;  // called last, so that no token is taken in vain
    std::function<double()> random;            // uniform in [0, 1)
};

struct Decision {
    std::optional<std::size_t> node;  // index into nodes; none: hold
    bool primary = false;             // the node is the primary
    std::int64_t retry_after_ms = 0;  // with hold: when to ask again
    bool awaits_probe = false;        // held because of the fence alone, so an earlier probe would help
    const char* reason = "";
};

// The rules, in order:
// 1. An unclear fence: background work is held for the next probe, which makes it clear. Live work, and background work from
//    patience_used 0.8 on, goes to the primary, within its limits (3c).
// 2. A replica in rotation that satisfies the fence, by the power of two choices.
// 3. If there is none and the primary answers:
//    a. Background work with patience_used < 0.8 is held.
//    b. Otherwise the replica with the least lag, up to hard_max_lag_ms, that satisfies the fence.
//    c. Otherwise the primary, within primary_jobs and the token bucket (background) or primary_live (live).
//    d. Otherwise held; live work then serves a stale entry or 503.
// 4. If there is none and no primary answers: any replica on the primary's timeline that satisfies the fence, whatever its
// lag; else
//    held.
// A replica that lacks the write is never chosen.
Decision decide(const Situation& situation, Class urgency, const Fence& fence, double patience_used);

}  // namespace larder::replicas
