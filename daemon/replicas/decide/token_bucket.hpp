// A token bucket; the caller passes in the time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace larder::replicas {

class TokenBucket {
public:
    // Starts full. Gains `rate` tokens per second and holds at most `burst`; both must be above 0.
    TokenBucket(double rate, unsigned burst) : rate_(rate), burst_(burst), tokens_(burst) {}

    bool take(std::int64_t now_ms) {
        // A time before the last one adds no tokens.
        if (now_ms > filled_ms_) {
            double earned =
                filled_ms_ == never ? 0.0 : rate_ * static_cast<double>(now_ms - filled_ms_) / 1000.0;
            tokens_ = std::min(static_cast<double>(burst_), tokens_ + earned);
            filled_ms_ = now_ms;
        }
        if (tokens_ < 1.0) return false;
        tokens_ -= 1.0;
        return true;
    }

private:
    static constexpr std::int64_t never = INT64_MIN;

    double rate_;
    unsigned burst_;
    double tokens_;
    std::int64_t filled_ms_ = never;
};

}  // namespace larder::replicas
