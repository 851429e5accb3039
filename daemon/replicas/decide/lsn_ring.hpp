// Measures the lag of replicas in time, by samples of the primary's log position on one monotonic clock.
//
// A replica that has replayed up to sample i but not up to sample i+1 lacks writes made after sample i, so its lag is at
// most the age of sample i. This needs no heartbeat table and no synchronised clocks. With an idle primary it gives 0,
// where formulas with pg_last_xact_replay_timestamp() grow without limit. A replica that receives nothing falls behind,
// where "received = replayed" would call it healthy. Error: at most one sample period plus the duration of a probe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "cache/position.hpp"

namespace larder::replicas {

enum class Bound : std::uint8_t {
    unknown,   // no samples; `ms` is 0
    exact,     // within the error above
    at_least,  // the replica is behind the oldest sample
    at_most,   // the replica has replayed the newest sample, which is this old because the primary doesn't answer
};

struct Lag {
    std::int64_t ms = 0;
    Bound bound = Bound::unknown;

    bool operator==(const Lag&) const = default;
};
const char* to_string(Bound bound);

class LsnRing {
public:
    // Keeps the newest `capacity` samples (at least 1). The primary counts as silent when its newest sample is older than
    // `silent_ms`.
    LsnRing(std::size_t capacity, std::int64_t silent_ms) : capacity_(capacity), silent_ms_(silent_ms) {}

    // Adds a sample: at `now_ms` the primary's log ended at `lsn`. Samples must come in order of time. A lower `lsn` than
    // before means another primary, and empties the ring first. An `lsn` of 0 is ignored.
    void add(std::int64_t now_ms, Lsn lsn);
    void clear() { samples_.clear(); }

    // The lag at `now_ms` of a replica that had replayed up to `replayed` at that time. Ignores samples later than `now_ms`.
    Lag lag(Lsn replayed, std::int64_t now_ms) const;

private:
    // The log ended at `lsn` at both times, and between them.
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
