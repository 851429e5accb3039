// Requests that wait for another's fill, in this worker and in others. Each worker has an eventfd, made before the fork, so
// whoever ends a fill wakes exactly the workers that wait for it: no polling. The zone says for which keys, so that a worker
// resumes no other requests.
#pragma once

#include <cstdint>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// In the master, before workers start.
ngx_int_t prepare_wakeups(ngx_cycle_t* cycle);
void start_wakeups(ngx_cycle_t* cycle);
void stop_wakeups();

// Something of this worker that waits for the end of a key's fill. It stops waiting when it is destroyed.
class Waiter {
public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    // `key_hash`: the key's bucket_hash(). Precondition: it does not wait.
    void wait(std::uint64_t key_hash);
    // False if it does not wait.
    bool stop();

protected:
    virtual ~Waiter() { stop(); }
    // Called once, in an event of the worker. The fill may have ended, or begun anew.
    virtual void woken() = 0;

private:
    friend struct Wakeups;
    enum class State : std::uint8_t { idle, waits, about_to_wake };

    std::uint64_t key_hash_ = 0;
    State state_ = State::idle;
};

// `workers`: a bit mask, as the near cache gives it.
void wake_workers(std::uint64_t workers);

}  // namespace larder::ngx
