// How this larderd's work on a claimed job can end. Each outcome has a counter: larderd_jobs_total{outcome="..."}.
#pragma once

#include <array>
#include <cstdint>

namespace larder::daemon {

enum class Outcome : std::uint8_t {
    stored,      // rendered and stored
    outdone,     // rendered, but the store had a newer entry
    skipped,     // not rendered: the stored entry is fresh
    expired,     // not rendered: the job's deadline has passed
    refused,     // this larderd can't do the job: malformed, unknown store or host, nginx doesn't take the call
    unstorable,  // rendered, but the answer may not be stored
    failed,      // no answer, or an error: will be tried again
    given_up,    // the same, after the last attempt
    postponed,   // put back into the queue: the backend is busy, or no replica is fresh enough
    lost,        // the lease was lost, to another larderd or because the queue is down
};
inline constexpr std::array all_outcomes{
    Outcome::stored,     Outcome::outdone, Outcome::skipped,  Outcome::expired,   Outcome::refused,
    Outcome::unstorable, Outcome::failed,  Outcome::given_up, Outcome::postponed, Outcome::lost};

constexpr const char* to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::stored:
            return "stored";
        case Outcome::outdone:
            return "outdone";
        case Outcome::skipped:
            return "skipped";
        case Outcome::expired:
            return "expired";
        case Outcome::refused:
            return "refused";
        case Outcome::unstorable:
            return "unstorable";
        case Outcome::failed:
            return "failed";
        case Outcome::given_up:
            return "given_up";
        case Outcome::postponed:
            return "postponed";
        case Outcome::lost:
            return "lost";
    }
    return "unknown";
}

}  // namespace larder::daemon
