// Notifies systemd of larderd's state, in the protocol of sd_notify(3): datagrams with "NAME=VALUE" lines, sent to the socket
// that $NOTIFY_SOCKET names.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace larder::daemon {

class ServiceManager {
public:
    // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Without a usable socket, all notifications do nothing.
    static ServiceManager from_environment();

    ServiceManager(ServiceManager&& other) noexcept;
    ServiceManager& operator=(ServiceManager&&) = delete;
    ~ServiceManager();

    void ready() const;
    // A reload has begun; ready() says that it has ended.
    void reloading() const;
    // The process is shutting down and needs up to `longest` for it.
    void stopping(std::chrono::milliseconds longest) const;
    // Call it at least once per watchdog() period.
    void alive() const;

    // The watchdog period: without an alive() for this long, systemd kills this process and restarts it. None: no watchdog.
    std::optional<std::chrono::milliseconds> watchdog() const { return watchdog_; }

private:
    ServiceManager() = default;
    void say(std::string_view text) const;

    int socket_ = -1;  // connected; -1: no service manager
    std::optional<std::chrono::milliseconds> watchdog_;
};

}  // namespace larder::daemon
