// The thread that probes one server, at an interval and on request.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "daemon/replicas/probe.hpp"

namespace larder::replicas {

class Prober {
public:
    using Sink =
        std::function<void(const Probe::Result&, std::int64_t sent_ms)>;  // called in the thread; never gets Interrupted

    // Starts the thread, which probes at once. Throws std::system_error when the thread or an eventfd can't be created.
    Prober(const std::string& dsn, std::int64_t interval_ms, std::int64_t timeout_ms, Sink sink);
    // Interrupts a probe under way and joins the thread.
    ~Prober();
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;

    // Makes the next probe start now, or 10 ms after the end of the last one. Thread-safe; doesn't block.
    void hurry();

private:
    void loop();
    bool pause(std::int64_t since_ms);

    class EventFd {
    public:
        EventFd();
        ~EventFd();
        EventFd(const EventFd&) = delete;
        EventFd& operator=(const EventFd&) = delete;
        int fd() const { return fd_; }
        void set();
        void clear();

    private:
        int fd_;
    };

    std::int64_t interval_ms_;
    Sink sink_;
    EventFd stop_;
    EventFd hurry_;
    Probe probe_;
    std::thread thread_;
};

}  // namespace larder::replicas
