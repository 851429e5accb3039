// Exponential back-off with jitter: numbers in, a wait out.
#pragma once

#include <algorithm>
#include <chrono>

namespace larder::daemon {

struct Backoff {
    std::chrono::milliseconds first{1000};
    std::chrono::milliseconds longest{300000};

    // The wait after `failures` failures (from 1): first, twice that, four times ..., at most longest, and of that a random
    // part between half and all. `random` is uniform in [0, 1).
    std::chrono::milliseconds after(unsigned failures, double random) const {
        auto full = static_cast<double>(first.count());
        for (unsigned i = 1; i < failures && full < static_cast<double>(longest.count()); i++) full *= 2;
        full = std::min(full, static_cast<double>(longest.count()));
        return std::chrono::milliseconds(static_cast<std::int64_t>(full * (0.5 + random / 2)));
    }
};

}  // namespace larder::daemon
