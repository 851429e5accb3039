// What larderd tells systemd (sd_notify(3)), in its protocol: datagrams of "NAME=VALUE" lines to the socket NOTIFY_SOCKET.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace larder::daemon {

class ServiceManager {
public:
    // The one that the environment names. Without one, or if its socket can't be used, nothing is said to anybody.
    static ServiceManager from_environment();

    ServiceManager(ServiceManager&& other) noexcept;
    ServiceManager& operator=(ServiceManager&&) = delete;
    ~ServiceManager();

    void ready() const;
    // Until the next ready().
    void reloading() const;
    // `longest`: what it will take at most.
    void stopping(std::chrono::milliseconds longest) const;
    // To be said at least once within watchdog().
    void alive() const;

    // How long it waits for alive() before it ends this process and starts another; none: for ever.
    std::optional<std::chrono::milliseconds> watchdog() const { return watchdog_; }

private:
    ServiceManager() = default;
    void say(std::string_view text) const;

    int socket_ = -1;  // connected; -1: there is no manager
    std::optional<std::chrono::milliseconds> watchdog_;
};

}  // namespace larder::daemon
