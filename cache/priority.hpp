// The order of jobs: the delay from now that a job is enqueued with. The queue runs the job with the earliest due time first.
//
// A class goes before those below it that were enqueued up to an hour later, so somebody who waits never waits for a bulk purge,
// and nobody waits for more than a few hours for the classes above. No delay is above 0: a job is not run before its due time.
#pragma once

#include <chrono>

#include "cache/job.hpp"

namespace larder {

// The first pages of a purge: a purge of few pages must not wait for one of many.
inline constexpr std::chrono::hours few_purged_delay{-1};
// Somebody visits the page.
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
