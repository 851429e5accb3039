// A budget for Larder's own work in one turn of a worker's event loop, in the units of edge_includes/budget.hpp.
//
// All work on pages, on the markup of fragments and on content codings is charged to it, over all requests of the
// worker. So other requests are served in time, however many hostile pages are in progress. Work that finds the
// budget used up waits in one queue, and gets an equal share of the budget of a later turn.
#pragma once

#include <cstdint>

#include "ngx_module/ngx.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/events.hpp"

namespace larder::ngx {

// What one caller may spend now; 0: this turn's budget is used up.
std::uint64_t next_slice();
inline bool turn_is_over() {
    return next_slice() == 0;
}
// Charges work that was done.
void spend_turn(std::uint64_t work);

// An object's place in the queue. Its destruction leaves the queue.
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
    // Queues the object. Its method is called once: at the end of this turn, or of the first later one that has
    // budget left.
    void enter();
    void leave();
    bool waits() const { return waits_; }

private:
    friend struct TurnQueue;

    ngx_event_t event_{};  // never posted: holds the call
    ngx_queue_t link_{};
    bool waits_ = false;
};

}  // namespace larder::ngx
