// The LSN ring: how late a replica is, from samples of the primary's log position on one monotonic clock.
//
// A replica that has replayed up to sample i but not up to sample i+1 lacks writes made after sample i: it is
// at most that sample's age late. No heartbeat table, no clocks to agree, and an idle primary gives 0, where
// SQL formulas over pg_last_xact_replay_timestamp() grow for ever and receive = replay calls a cut-off
// replica healthy. Error: at most one sample period plus one probe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "daemon/replicas/decide/position.hpp"

namespace larder::replicas {

enum class Bound : std::uint8_t {
    unknown,   // nothing to compare with; `ms` is 0
    exact,     // within the error above
    at_least,  // the replica is behind the oldest sample we hold
    at_most,   // it has all we know of, but we haven't heard of the primary for that long
};

struct Lag {
    std::int64_t ms = 0;
    Bound bound = Bound::unknown;

    bool operator==(const Lag&) const = default;
};
const char* to_string(Bound bound);

class LsnRing {
public:
    // Holds the newest `capacity` samples (1 or more). A newest sample older than `silent_ms` means that the
    // primary is silent.
    LsnRing(std::size_t capacity, std::int64_t silent_ms) : capacity_(capacity), silent_ms_(silent_ms) {}

    // A sample: at `now_ms` the primary's log had been written up to `lsn`. Samples come in order of time;
    // one that goes back in the log (another primary) empties the ring first. 0 is no position and ignored.
    void add(std::int64_t now_ms, Lsn lsn);
    void clear() { samples_.clear(); }

    // The lag at `now_ms` of a replica that had replayed up to `replayed` then. Samples later than `now_ms`
    // don't count: the replica couldn't know them yet.
    Lag lag(Lsn replayed, std::int64_t now_ms) const;

private:
    // The log stood at `lsn` from the first of these times to the last (or longer).
    struct Sample {
        std::int64_t first_ms = 0;
        std::int64_t last_ms = 0;
        Lsn lsn = 0;
    };

    std::deque<Sample> samples_;  // in order of time and of lsn
    std::size_t capacity_;
    std::int64_t silent_ms_;
};

}  // namespace larder::replicas
