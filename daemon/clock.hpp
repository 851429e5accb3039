// Unix time, for times that are stored or shared with other machines. Waits and timeouts use std::chrono::steady_clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace larder::daemon {

using UnixMs = std::int64_t;
using UnixClock = std::function<UnixMs()>;  // injected where a test must turn the clock

inline std::int64_t unix_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}
inline UnixMs unix_ms() {
    return unix_us() / 1000;
}

}  // namespace larder::daemon
