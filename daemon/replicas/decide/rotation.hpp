// Whether a replica is in rotation, with hysteresis: one bad probe doesn't take it out, and one good probe doesn't take it
// back in.
#pragma once

#include <cstdint>

namespace larder::replicas {

enum class Sample : std::uint8_t {
    good,     // lag within half the limit
    between,  // neither good nor bad
    bad,      // too much lag, receives no WAL, or on another timeline
    failed,   // no answer
};

class Rotation {
public:
    static constexpr unsigned bad_to_leave = 2;
    static constexpr unsigned failures_to_leave = 3;
    static constexpr unsigned good_to_return = 5;

    bool in() const { return in_; }
    // The number of good samples in a row that it still needs; 0 when in rotation.
    unsigned missing() const { return in_ ? 0 : needed_ - good_; }

    void count(Sample sample) {
        bad_ = sample == Sample::bad ? bad_ + 1 : 0;
        failed_ = sample == Sample::failed ? failed_ + 1 : 0;
        good_ = sample == Sample::good ? good_ + 1 : 0;
        if (in_ && (bad_ >= bad_to_leave || failed_ >= failures_to_leave)) {
            in_ = false;
            needed_ = good_to_return;
        }
        if (!in_ && good_ >= needed_) in_ = true;
    }

private:
    bool in_ = false;
    unsigned needed_ = 1;  // a new replica needs one good sample, one that has left the rotation good_to_return
    unsigned good_ = 0;
    unsigned bad_ = 0;
    unsigned failed_ = 0;
};

}  // namespace larder::replicas
