// Timers and posted events that call our objects. nginx runs posted events at the end of the current turn of the
// event loop.
#pragma once

#include "ngx_module/ngx.hpp"
#include "ngx_module/pool.hpp"

namespace larder::ngx {

template <typename T>
struct ClassOf;
template <typename T>
struct ClassOf<void (T::*)()> {
    using Type = T;
};

// An nginx event handler that calls `method`. It logs an exception and calls the object's failed().
template <auto method>
void event_handler(ngx_event_t* event) noexcept {
    using Object = typename ClassOf<decltype(method)>::Type;
    auto* object = static_cast<Object*>(event->data);
    ngx_log_t* log = event->log;
    try {
        (object->*method)();
    } catch (...) {
        log_exception(log, Object::event_name);
        object->failed();
    }
}

// An event owned by the object that it calls. Its destruction cancels it.
class Event {
public:
    Event() = default;
    ~Event() { cancel(); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    template <auto method, typename Object>
    void bind(Object* object, ngx_log_t* log) {
        event_.handler = event_handler<method>;
        event_.data = object;
        event_.log = log;
    }
    void post() { ngx_post_event(&event_, &ngx_posted_events); }  // runs once, however often it is posted
    // Posts it for the next turn, unless it is posted already.
    void post_next() { ngx_post_event(&event_, &ngx_posted_next_events); }
    bool timer_runs() const { return event_.timer_set; }
    void start_timer(ngx_msec_t ms) { ngx_add_timer(&event_, ms); }
    void cancel() {
        if (event_.timer_set) ngx_del_timer(&event_);
        if (event_.posted) {
            ngx_delete_posted_event(&event_);
        }
    }

private:
    ngx_event_t event_{};
};

}  // namespace larder::ngx
