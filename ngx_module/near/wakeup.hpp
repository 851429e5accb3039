// Wakes requests that wait for another request's fill, in this worker or in others. Each worker has an eventfd, made
// before the fork, so whoever ends a fill wakes the workers that wait for it; nobody polls. The zone names the keys,
// so that a worker resumes no other requests.
#pragma once

#include <cstdint>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Makes the eventfds. Called in the master, before workers start.
ngx_int_t prepare_wakeups(ngx_cycle_t* cycle);
void start_wakeups(ngx_cycle_t* cycle);
void stop_wakeups();

// Something in this worker that waits for the end of a key's fill. Its destruction ends the wait.
class Waiter {
public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    // Starts to wait. `key_hash`: the key's bucket_hash(). Precondition: it is not waiting. May throw std::bad_alloc.
    void wait(std::uint64_t key_hash);
    // Stops waiting. False: it was not waiting.
    bool stop();

protected:
    virtual ~Waiter() { stop(); }
    // Called once per wait, from an event in this worker. The fill may have ended, or another one may have begun.
    virtual void woken() = 0;

private:
    friend struct Wakeups;
    enum class State : std::uint8_t { idle, waits, about_to_wake };

    std::uint64_t key_hash_ = 0;
    State state_ = State::idle;
};

// Wakes these workers. `workers`: the bit mask that Zone's methods return.
void wake_workers(std::uint64_t workers);

}  // namespace larder::ngx
