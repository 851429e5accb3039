// Wakes workers by eventfds on nginx's event loop.
#include "ngx_module/near/wakeup.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"

namespace larder::ngx {

namespace {

// One eventfd per worker number. Kept over reloads, as a request in a new worker may wait for a fill in an old one,
// and vice versa. An old worker lacks the eventfds of numbers that a reload added: requests in those workers then
// wait for their timers.
std::vector<int> wakeup_fds;
ngx_connection_t* own;

std::unordered_multimap<std::uint64_t, Waiter*> waiting;  // by bucket_hash() of their keys
std::vector<Waiter*> woken;    // being woken by this event; null: destroyed or stopped since
std::uint64_t woken_position;  // for Zone::each_woken()

}  // namespace

struct Wakeups {
    template <typename Iterator>
    static void take(Iterator first, Iterator last) {
        for (auto at = first; at != last; ++at) woken.push_back(at->second);
        for (auto at = first; at != last; ++at) at->second->state_ = Waiter::State::about_to_wake;
        waiting.erase(first, last);
    }

    // Wakes the waiters for the keys that the zone names. A waiter whose fill still runs waits again.
    static void wake_waiting() {
        woken.reserve(waiting.size());  // if this throws, waiters still have their timers
        bool complete = zone().each_woken(woken_position, [](std::uint64_t key_hash) {
            auto [first, last] = waiting.equal_range(key_hash);
            take(first, last);
        });
        if (!complete) take(waiting.begin(), waiting.end());
        for (std::size_t i = 0; i < woken.size(); i++) {
            Waiter* waiter = std::exchange(woken[i], nullptr);
            if (waiter == nullptr) continue;
            waiter->state_ = Waiter::State::idle;
            waiter->woken();  // may destroy other waiters
        }
        woken.clear();
    }

    static void forget(Waiter* waiter) { std::replace(woken.begin(), woken.end(), waiter, static_cast<Waiter*>(nullptr)); }
};

namespace {

void on_wakeup(ngx_event_t* event) {
    auto* connection = static_cast<ngx_connection_t*>(event->data);
    // With edge-triggered events, don't drain the eventfd. During a reload an old and a new worker share it, and a
    // read by one would hide the wake-up from the other. The 64-bit counter does not overflow in practice.
    std::uint64_t times;
    while ((ngx_event_flags & NGX_USE_CLEAR_EVENT) == 0 && read(connection->fd, &times, sizeof times) > 0) {
    }
    guarded(event->log, "wake-up", 0, [] {
        Wakeups::wake_waiting();
        return 0;
    });
    ngx_handle_read_event(event, 0);
}

void close_fds() {
    for (int fd : wakeup_fds) close(fd);
    wakeup_fds.clear();
}

}  // namespace

ngx_int_t prepare_wakeups(ngx_cycle_t* cycle) {
    if (ngx_test_config) return NGX_OK;
    auto* core = reinterpret_cast<ngx_core_conf_t*>(ngx_get_conf(cycle->conf_ctx, ngx_core_module));
    ngx_int_t workers = core->worker_processes > 0 ? core->worker_processes : 1;
    while (wakeup_fds.size() <
           std::min<std::size_t>(static_cast<std::size_t>(workers), near_cache::max_workers)) {
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (fd == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "eventfd() failed");
            return NGX_ERROR;
        }
        wakeup_fds.push_back(fd);
    }
    return NGX_OK;
}

void start_wakeups(ngx_cycle_t* cycle) {
    std::size_t number = ngx_worker % near_cache::max_workers;
    if (number >= wakeup_fds.size()) return;
    woken_position = zone().woken_position();
    own = ngx_get_connection(wakeup_fds[number], cycle->log);
    if (own == nullptr) throw std::bad_alloc();
    own->read->handler = on_wakeup;  // guarded
    own->read->log = own->write->log = cycle->log;
    own->read->channel = 1;  // nginx must not close it as an idle client connection when it shuts down
    if (ngx_handle_read_event(own->read, 0) != NGX_OK) {
        throw std::bad_alloc();
    }
}

void stop_wakeups() {
    if (own == nullptr) return;
    ngx_del_event(own->read, NGX_READ_EVENT, 0);
    ngx_free_connection(own);
    own->fd = static_cast<ngx_socket_t>(-1);
    own = nullptr;
    close_fds();
}

void Waiter::wait(std::uint64_t key_hash) {
    waiting.emplace(key_hash, this);
    key_hash_ = key_hash;
    state_ = State::waits;
}

bool Waiter::stop() {
    State state = std::exchange(state_, State::idle);
    if (state == State::about_to_wake) Wakeups::forget(this);
    if (state != State::waits) return false;
    auto [first, last] = waiting.equal_range(key_hash_);
    waiting.erase(std::find_if(first, last, [this](const auto& entry) { return entry.second == this; }));
    return true;
}

void wake_workers(std::uint64_t workers) {
    for (std::size_t i = 0; i < wakeup_fds.size() && workers != 0; i++, workers >>= 1) {
        if ((workers & 1) == 0) continue;
        std::uint64_t one = 1;
        if (write(wakeup_fds[i], &one, sizeof one) == -1) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno, "larder: can't wake worker %uz", i);
        }
    }
}

}  // namespace larder::ngx
