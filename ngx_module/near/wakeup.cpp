// eventfds on nginx's event loop.
#include "ngx_module/near/wakeup.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "ngx_module/pool.hpp"
#include "ngx_module/request/suspend.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// One per worker, by number. They stay the same over reloads: a fill in an old worker has new ones waiting, and the other way
// round.
std::vector<int> wakeup_fds;
ngx_connection_t* own;

// By their keys' bucket_hash().
std::unordered_multimap<std::uint64_t, Ctx*> waiting;
std::uint64_t woken_position;  // up to which the zone's record of woken keys was read

// Those that wait for one of the keys that the zone names look again. Whoever finds its fill still running waits on.
void wake_waiting() {
    std::vector<std::pair<Ctx*, std::shared_ptr<bool>>> woken;
    auto take = [&woken](auto first, auto last) {
        for (auto at = first; at != last; ++at) woken.emplace_back(at->second, at->second->alive);
        waiting.erase(first, last);
    };
    bool complete = zone().each_woken(woken_position, [&](std::uint64_t key_hash) {
        auto [first, last] = waiting.equal_range(key_hash);
        take(first, last);
    });
    if (!complete) take(waiting.begin(), waiting.end());
    for (auto& [ctx, alive] : woken) {
        if (*alive) resume(ctx);
    }
}

void on_wakeup(ngx_event_t* event) {
    auto* connection = static_cast<ngx_connection_t*>(event->data);
    // Where each write is an event of its own, the count is left alone: another worker of this number, before or after a
    // reload, might find nothing. It overflows in some hundred thousand years.
    std::uint64_t times;
    while ((ngx_event_flags & NGX_USE_CLEAR_EVENT) == 0 && read(connection->fd, &times, sizeof times) > 0) {
    }
    guarded(event->log, "wake-up", 0, [] {
        wake_waiting();
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
    own->read->channel = 1;  // not a client's: nginx leaves it open while it shuts down
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

void start_waiting(Ctx* ctx) {
    waiting.emplace(ctx->key.bucket_hash(), ctx);
}

bool stop_waiting(Ctx* ctx) {
    if (!ctx->waited) return false;
    auto [first, last] = waiting.equal_range(ctx->key.bucket_hash());
    for (auto it = first; it != last; ++it) {
        if (it->second == ctx) {
            waiting.erase(it);
            return true;
        }
    }
    return false;
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
