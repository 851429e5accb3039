// Random numbers for jitter. Not for secrets.
#pragma once

#include <random>

namespace larder::daemon {

// Uniform in [0, 1).
inline double random_fraction() {
    static thread_local std::mt19937_64 engine{std::random_device()()};
    return std::uniform_real_distribution<double>(0, 1)(engine);
}

}  // namespace larder::daemon
