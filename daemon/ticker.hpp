// A thread that does something every so often until it is destroyed; a stop doesn't wait for the pause to end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace larder::daemon {

class Ticker {
public:
    // `tick` is called at once, then again `pause` after each return. Precondition: it doesn't throw.
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
