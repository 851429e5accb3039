// Exponential back-off with jitter, as a pure function.
#pragma once

#include <algorithm>
#include <chrono>

namespace larder::daemon {

struct Backoff {
    std::chrono::milliseconds first{1000};
    std::chrono::milliseconds longest{300000};

    // The wait after the `failures`-th failure in a row, counted from 1: `first` doubled with each failure, at most
    // `longest`, times a random factor between 0.5 and 1. `random`: uniform in [0, 1).
    std::chrono::milliseconds after(unsigned failures, double random) const {
        auto full = static_cast<double>(first.count());
        for (unsigned i = 1; i < failures && full < static_cast<double>(longest.count()); i++) full *= 2;
        full = std::min(full, static_cast<double>(longest.count()));
        return std::chrono::milliseconds(static_cast<std::int64_t>(full * (0.5 + random / 2)));
    }
};

}  // namespace larder::daemon
