// How much of one turn of the worker's event loop Larder's own work may take, in the units of edge_includes/budget.hpp.
//
// Everything that a page, a fragment's markup or a content coding makes us do is counted here, for the whole worker: other
// requests go on however many hostile pages are at work. Work that finds the turn used up waits in one queue; each gets an equal
// share of what a turn has left.
#pragma once

#include <cstdint>

#include "ngx_module/ngx.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/events.hpp"

namespace larder::ngx {

// What the next slice of work may take; 0: the turn is used up.
std::uint64_t next_slice();
inline bool turn_is_over() {
    return next_slice() == 0;
}
// Work that was done.
void spend_turn(std::uint64_t work);

// The place of an object in the queue of those with work to do. Nothing happens once it is gone.
class TurnPlace {
public:
    TurnPlace() = default;
    ~TurnPlace() { leave(); }
    TurnPlace(const TurnPlace&) = delete;
    TurnPlace& operator=(const TurnPlace&) = delete;

    template <auto method, typename Object>
    void bind(Object* object, ngx_log_t* log) {
        event_.handler = event_handler<method>;
        event_.data = object;
        event_.log = log;
    }
    // The object is called once: at the end of this turn, or of the first one that has room for it.
    void enter();
    void leave();
    bool waits() const { return waits_; }

private:
    friend struct TurnQueue;

    ngx_event_t event_{};  // never posted: it holds what to call
    ngx_queue_t link_{};
    bool waits_ = false;
};

}  // namespace larder::ngx
