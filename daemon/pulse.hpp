// The time of a thread's last heartbeat, so that a watchdog can tell whether its loop hangs. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>

namespace larder::daemon {

class Pulse {
public:
    using Clock = std::chrono::steady_clock;

    void beat() { last_ = Clock::now(); }
    bool within(std::chrono::milliseconds longest) const { return Clock::now() - last_.load() <= longest; }

private:
    std::atomic<Clock::time_point> last_ = Clock::now();
};

}  // namespace larder::daemon
