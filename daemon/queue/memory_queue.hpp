// The queue of a single larderd, for sites without Redis: the state machine of queue.hpp, in memory. Jobs are lost when
// larderd stops; the next stale hit enqueues them again.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "daemon/clock.hpp"
#include "daemon/queue/queue.hpp"

namespace larder::daemon {

class MemoryQueue : public Queue {
public:
    // `most_jobs`: with that many jobs, enqueue() answers `full` for other keys.
    MemoryQueue(QueueLimits limits, std::size_t most_jobs, UnixClock clock = unix_ms);

    void set_limits(const QueueLimits& limits) override;
    Enqueued enqueue(std::string_view key, std::string_view job, std::chrono::milliseconds delay,
                     bool urgent) override;
    std::vector<Claim> claim(std::size_t most) override;
    void wait(std::chrono::milliseconds longest) override;
    Finished finish(const Lease& lease) override;
    Failed fail(const Lease& lease, std::chrono::milliseconds wait, Attempt attempt) override;
    bool refuse(const Lease& lease) override;
    bool postpone(const Lease& lease, std::chrono::milliseconds delay) override;
    void run_again(const Lease& lease, std::string_view job) override;
    std::vector<Lease> renew(const std::vector<Lease>& leases) override;
    std::size_t reap() override;
    void announce(std::chrono::milliseconds lifetime) override;
    bool pending(std::string_view key) override;
    QueueDepths depths() override;

private:
    enum class State : std::uint8_t { queued, running, waiting };
    static constexpr UnixMs never = INT64_MAX;

    struct Item {
        State state = State::queued;
        std::string job;
        std::string token;      // of the lease, while running
        UnixMs at = 0;          // queued: due time; running: the lease's deadline; waiting: when the wait ends
        UnixMs since = 0;       // when it was enqueued
        UnixMs asked_at = never;  // the earliest due time of enqueues that came while it was running or waiting
        unsigned attempts = 0;  // failed attempts
        bool dirty = false;
        bool refused = false;
    };
    using Items = std::unordered_map<std::string, Item>;
    using Times = std::set<std::pair<UnixMs, std::string>>;

    Times& times_of(State state) { return state == State::queued ? due_ : held_; }
    void move(Items::iterator item, State state, UnixMs at);
    void remove(Items::iterator item);
    Items::iterator leased(const Lease& lease);
    Failed fail(Items::iterator item, UnixMs retry_at, Attempt attempt);
    void requeue(Items::iterator item, UnixMs at);

    const std::size_t most_jobs_;
    const UnixClock clock_;

    std::mutex mutex_;  // guards all that follows
    QueueLimits limits_;
    std::condition_variable work_;
    Items items_;
    Times due_;   // keys queued, by due time
    Times held_;  // keys running or waiting, by Item::at
    std::map<std::string, UnixMs> given_up_;
    UnixMs announced_until_ = 0;
    std::uint64_t claims_ = 0;
};

}  // namespace larder::daemon
