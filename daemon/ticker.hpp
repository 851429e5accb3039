// A thread that calls a function periodically until the Ticker is destroyed. Destruction interrupts the pause, but waits
// for a call that is running.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace larder::daemon {

class Ticker {
public:
    // Calls `tick` at once, and again `pause` after each return. `tick` must not throw.
    Ticker(std::chrono::milliseconds pause, std::function<void()> tick)
        : pause_(pause), tick_(std::move(tick)), thread_([this] { loop(); }) {}

    ~Ticker() {
        {
            std::lock_guard lock(mutex_);
            ending_ = true;
        }
        wake_.notify_all();
        thread_.join();
    }

private:
    void loop() {
        std::unique_lock lock(mutex_);
        while (!ending_) {
            lock.unlock();
            tick_();
            lock.lock();
            wake_.wait_for(lock, pause_, [this] { return ending_; });
        }
    }

    const std::chrono::milliseconds pause_;
    const std::function<void()> tick_;
    std::mutex mutex_;  // guards ending_
    std::condition_variable wake_;
    bool ending_ = false;
    std::thread thread_;  // last: it uses all the others
};

}  // namespace larder::daemon
