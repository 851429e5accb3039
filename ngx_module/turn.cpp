// nginx has no notion of a turn. It updates its cached time once per turn, so a changed time means a new turn; turns
// within one millisecond share one budget. Work that finds the budget used up goes on in the next turn, even within
// the same millisecond: the event posted for it runs after that turn's sockets were served.
#include "ngx_module/turn.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "ngx_module/near/shared_zone.hpp"

namespace larder::ngx {

namespace {

constexpr std::uint64_t turn_work = 10'000;  // takes about 1 ms
constexpr std::uint64_t least_slice = 500;

std::uint64_t left = turn_work;
std::uint64_t done = 0;
ngx_msec_t begun_ms = 0;

void begin_turn() noexcept {
    if (has_zone()) {
        std::atomic<std::uint64_t>& most = zone().stats().most_turn_work;
        std::uint64_t known = most.load(std::memory_order_relaxed);
        while (done > known && !most.compare_exchange_weak(known, done, std::memory_order_relaxed)) {
        }
    }
    left = turn_work;
    done = 0;
    begun_ms = ngx_current_msec;
}

void look_at_clock() noexcept {
    if (begun_ms != ngx_current_msec) begin_turn();
}

}  // namespace

struct TurnQueue {
    static TurnQueue& get() {
        static TurnQueue queue;
        return queue;
    }

    void add(TurnPlace& place) {
        ngx_queue_insert_tail(&places, &place.link_);
        ++size;
        if (!run_event.posted && !next_run_event.posted) {
            ngx_post_event(&run_event, &ngx_posted_events);
        }
    }

    TurnPlace& take_first() {
        TurnPlace& place = *ngx_queue_data(ngx_queue_head(&places), TurnPlace, link_);
        remove(place);
        return place;
    }

    void remove(TurnPlace& place) {
        ngx_queue_remove(&place.link_);
        place.waits_ = false;
        --size;
    }

    void run() {
        look_at_clock();
        while (size != 0 && left != 0) {
            spend_turn(1);  // so that the loop ends, whatever the handlers charge
            ngx_event_t& event = take_first().event_;
            event.handler(&event);  // may destroy the place
        }
        if (size != 0) {
            ngx_post_event(&next_run_event, &ngx_posted_next_events);
        }
    }

    std::uint64_t size = 0;

private:
    TurnQueue() {
        ngx_queue_init(&places);
        run_event.handler = [](ngx_event_t*) { get().run(); };  // never throws, as what it calls does not
        next_run_event.handler = [](ngx_event_t*) {             // never throws
            if (left == 0) begin_turn();
            get().run();
        };
        run_event.log = next_run_event.log = ngx_cycle->log;
    }

    ngx_queue_t places{};
    ngx_event_t run_event{};       // posted for the end of this turn
    ngx_event_t next_run_event{};  // posted for the end of the next turn
};

void TurnPlace::enter() {
    if (std::exchange(waits_, true)) return;
    TurnQueue::get().add(*this);
}

void TurnPlace::leave() {
    if (waits_) TurnQueue::get().remove(*this);
}

std::uint64_t next_slice() {
    look_at_clock();
    return std::min(left, std::max(left / (TurnQueue::get().size + 1), least_slice));
}

void spend_turn(std::uint64_t work) {
    look_at_clock();
    left -= std::min(work, left);
    done += work;
}

}  // namespace larder::ngx
