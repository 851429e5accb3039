// Invariant: every job is in items_, and its key is in exactly one of due_ (if queued) and held_ (if running or waiting).
#include "memory_queue.hpp"

#include <algorithm>

#include "cache/priority.hpp"

namespace larder::daemon {

namespace {
constexpr std::size_t most_given_up = 1000;
}

MemoryQueue::MemoryQueue(QueueLimits limits, std::size_t most_jobs, UnixClock clock)
    : most_jobs_(most_jobs), clock_(std::move(clock)), limits_(limits) {}

void MemoryQueue::move(Items::iterator item, State state, UnixMs at) {
    times_of(item->second.state).erase({item->second.at, item->first});
    item->second.state = state;
    item->second.at = at;
    times_of(state).insert({at, item->first});
    if (state == State::queued) work_.notify_one();
}

void MemoryQueue::remove(Items::iterator item) {
    times_of(item->second.state).erase({item->second.at, item->first});
    items_.erase(item);
}

MemoryQueue::Items::iterator MemoryQueue::leased(const Lease& lease) {
    auto item = items_.find(lease.key);
    bool ours =
        item != items_.end() && item->second.state == State::running && item->second.token == lease.token;
    return ours ? item : items_.end();
}

void MemoryQueue::requeue(Items::iterator item, UnixMs at) {
    item->second.dirty = false;
    move(item, State::queued, std::min(at, item->second.asked_at));
    item->second.asked_at = never;
}

Failed MemoryQueue::fail(Items::iterator item, UnixMs retry_at, Attempt attempt) {
    UnixMs now = clock_();
    if (attempt == Attempt::counts) item->second.attempts++;
    if (item->second.attempts < limits_.attempts) {
        if (retry_at > now) {
            move(item, State::waiting, retry_at);
        } else {
            requeue(item, now);
        }
        return Failed::waiting;
    }
    given_up_[item->first] = now;
    if (given_up_.size() > most_given_up) {
        given_up_.erase(std::min_element(given_up_.begin(), given_up_.end(),
                                         [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
    move(item, State::waiting, now + limits_.give_up_for.count());
    return Failed::given_up;
}

void MemoryQueue::set_limits(const QueueLimits& limits) {
    std::lock_guard lock(mutex_);
    limits_.attempts = limits.attempts;
    limits_.give_up_for = limits.give_up_for;
}

Enqueued MemoryQueue::enqueue(std::string_view key, std::string_view job, std::chrono::milliseconds delay,
                              bool urgent) {
    std::lock_guard lock(mutex_);
    if (announced_until_ <= clock_()) return Enqueued::nodaemon;
    UnixMs due = clock_() + delay.count();
    auto found = items_.find(std::string(key));
    if (found == items_.end()) {
        if (items_.size() >= most_jobs_) return Enqueued::full;
        auto item = items_.try_emplace(std::string(key)).first;
        item->second.job = job;
        item->second.since = clock_();
        move(item, State::queued, due);
        return Enqueued::fresh;
    }
    Item& item = found->second;
    if (item.refused) return Enqueued::refused;
    if (urgent) item.job = job;
    if (item.state != State::queued) {
        item.asked_at = std::min(item.asked_at, due);
        item.dirty = item.dirty || urgent;
        return urgent ? Enqueued::dirty : Enqueued::running;
    }
    if (due >= item.at) return Enqueued::dup;
    move(found, State::queued, due);
    return Enqueued::raised;
}

std::vector<Claim> MemoryQueue::claim(std::size_t most) {
    std::lock_guard lock(mutex_);
    std::vector<Claim> claims;
    UnixMs now = clock_();
    while (claims.size() < most && !due_.empty() && due_.begin()->first <= now) {
        auto item = items_.find(due_.begin()->second);
        UnixMs due = item->second.at;
        item->second.token = std::to_string(++claims_);
        move(item, State::running, now + limits_.lease.count());
        claims.push_back({{item->first, item->second.token},
                          item->second.job,
                          item->second.attempts,
                          std::chrono::milliseconds(now - due),
                          std::chrono::milliseconds(std::max<UnixMs>(now - item->second.since, 0))});
    }
    return claims;
}

void MemoryQueue::wait(std::chrono::milliseconds longest) {
    std::unique_lock lock(mutex_);
    work_.wait_for(lock, longest, [this] { return !due_.empty() && due_.begin()->first <= clock_(); });
}

Finished MemoryQueue::finish(const Lease& lease) {
    std::lock_guard lock(mutex_);
    auto item = leased(lease);
    if (item == items_.end()) return Finished::lost;
    if (!item->second.dirty) {
        remove(item);
        return Finished::removed;
    }
    item->second.attempts = 0;
    item->second.since = clock_();
    requeue(item, clock_() + std::chrono::milliseconds(few_purged_delay).count());
    return Finished::requeued;
}

Failed MemoryQueue::fail(const Lease& lease, std::chrono::milliseconds wait, Attempt attempt) {
    std::lock_guard lock(mutex_);
    auto item = leased(lease);
    return item == items_.end() ? Failed::lost : fail(item, clock_() + wait.count(), attempt);
}

bool MemoryQueue::refuse(const Lease& lease) {
    std::lock_guard lock(mutex_);
    auto item = leased(lease);
    if (item == items_.end()) return false;
    item->second.refused = true;
    item->second.dirty = false;
    item->second.attempts = limits_.attempts;
    item->second.job.clear();
    move(item, State::waiting, clock_() + limits_.give_up_for.count());
    return true;
}

bool MemoryQueue::postpone(const Lease& lease, std::chrono::milliseconds delay) {
    std::lock_guard lock(mutex_);
    auto item = leased(lease);
    if (item == items_.end()) return false;
    requeue(item, clock_() + delay.count());
    return true;
}

void MemoryQueue::run_again(const Lease& lease, std::string_view job) {
    std::lock_guard lock(mutex_);
    auto item = leased(lease);
    if (item == items_.end() || item->second.dirty) return;
    item->second.dirty = true;
    item->second.job = job;
}

std::vector<Lease> MemoryQueue::renew(const std::vector<Lease>& leases) {
    std::lock_guard lock(mutex_);
    std::vector<Lease> lost;
    for (const Lease& lease : leases) {
        auto item = leased(lease);
        if (item == items_.end()) {
            lost.push_back(lease);
        } else {
            move(item, State::running, clock_() + limits_.lease.count());
        }
    }
    return lost;
}

std::size_t MemoryQueue::reap() {
    std::lock_guard lock(mutex_);
    std::size_t crashed = 0;
    UnixMs now = clock_();
    while (!held_.empty() && held_.begin()->first <= now) {
        auto item = items_.find(held_.begin()->second);
        if (item->second.state == State::running) {
            crashed++;
            fail(item, now, Attempt::counts);
        } else if (item->second.attempts < limits_.attempts) {
            requeue(item, now);
        } else if (item->second.dirty) {
            item->second.attempts = 0;
            requeue(item, now);
        } else {
            remove(item);
        }
    }
    return crashed;
}

void MemoryQueue::announce(std::chrono::milliseconds lifetime) {
    std::lock_guard lock(mutex_);
    announced_until_ = clock_() + lifetime.count();
}

bool MemoryQueue::pending(std::string_view key) {
    std::lock_guard lock(mutex_);
    auto item = items_.find(std::string(key));
    return item != items_.end() && item->second.attempts < limits_.attempts;
}

QueueDepths MemoryQueue::depths() {
    std::lock_guard lock(mutex_);
    QueueDepths depths;
    UnixMs now = clock_();
    for (auto at = due_.begin(); at != due_.end() && at->first <= now; ++at) depths.due++;
    depths.queued = static_cast<std::int64_t>(due_.size());
    for (const auto& [key, item] : items_) {
        if (item.state == State::running) depths.running++;
        if (item.state == State::waiting) depths.waiting++;
    }
    depths.given_up = static_cast<std::int64_t>(given_up_.size());
    return depths;
}

}  // namespace larder::daemon
