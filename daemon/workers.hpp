// A thread pool with one FIFO queue, for tasks that block on a store. Tasks start in the order in which they were posted.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace larder::daemon {

class Workers {
public:
    explicit Workers(std::size_t threads) {
        for (std::size_t i = 0; i < threads; i++) threads_.emplace_back([this] { loop(); });
    }
    // Runs all tasks that were posted, then joins the threads.
    ~Workers() {
        {
            std::lock_guard lock(mutex_);
            ending_ = true;
        }
        work_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    // Thread-safe. `task` must not throw.
    void post(std::function<void()> task) {
        {
            std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        work_.notify_one();
    }

private:
    void loop() {
        for (;;) {
            std::unique_lock lock(mutex_);
            work_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
            if (tasks_.empty()) return;
            std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
        }
    }

    std::mutex mutex_;  // guards tasks_ and ending_
    std::condition_variable work_;
    std::deque<std::function<void()>> tasks_;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace larder::daemon
