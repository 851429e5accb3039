// How a claimed job can end. Each has a counter: larderd_jobs_total{outcome="..."}.
#pragma once

#include <array>
#include <cstdint>

namespace larder::daemon {

enum class Outcome : std::uint8_t {
    stored,      // rendered and stored
    outdone,     // rendered, but the store held a newer entry
    skipped,     // what is stored is new enough
    expired,     // nobody wants the result any more
    refused,     // the job itself is wrong: bytes, store, host, headers
    unstorable,  // the answer may not be stored
    failed,      // no answer, or a bad one: to be tried again
    given_up,    // the same, for the last time
    postponed,   // the backend is busy, or no replica is good enough
    lost,        // the lease was lost to another daemon
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
