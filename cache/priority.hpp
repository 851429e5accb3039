// How a job's reason places it in the queue: the delay from now that it is enqueued with. Due times order the queue, so
// nobody starves: what is put back by a second is due a second later, whatever comes after it. No delay is above 0, as a job
// is not claimed before its time.
#pragma once

#include <chrono>

#include "cache/job.hpp"

namespace larder {

inline std::chrono::milliseconds delay_of(JobReason reason) {
    using namespace std::chrono_literals;
    switch (reason) {
        case JobReason::manual:
            return -3000ms;
        case JobReason::purge:
            return -2000ms;
        case JobReason::stale:
            return -1000ms;
        case JobReason::warm:
            return -500ms;
        case JobReason::prerender:
            return 0ms;
    }
    return 0ms;
}

}  // namespace larder
