// The priority of jobs, as a delay that is added to the time of enqueueing. The queue runs the job with the earliest
// due time first (decision 072).
//
// Jobs that somebody waits for go before the first pages of a purge, and these before all other jobs, even if the
// others were enqueued up to an hour before. So a bulk purge delays no visitor, and no job waits more than a few
// hours for higher classes. Other differences are seconds. No delay is positive, as a job is not run before its due
// time.
#pragma once

#include <chrono>

#include "cache/job.hpp"

namespace larder {

// The first pages of each purge: a small purge must not wait for a large one.
inline constexpr std::chrono::hours few_purged_delay{-1};
// A visitor found the page stale.
inline constexpr std::chrono::hours visited_delay{-2};

inline std::chrono::milliseconds delay_of(JobReason reason) {
    using namespace std::chrono_literals;
    switch (reason) {
        case JobReason::manual:
            return visited_delay - 1s;
        case JobReason::stale:
            return visited_delay;
        case JobReason::purge:
            return -2s;
        case JobReason::warm:
            return -500ms;
        case JobReason::prerender:
            return 0ms;
    }
    return 0ms;
}

}  // namespace larder
