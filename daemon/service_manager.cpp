// Implements the protocol itself: linking libsystemd for four datagrams is not worth a dependency.
#include "service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

namespace larder::daemon {

namespace {

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : value;
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value <= 0) return {};
    return value;
}

// Returns a connected socket, or -1. A leading "@" stands for the NUL byte that begins the name of an abstract socket.
int connected_to(std::string_view path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if ((!path.starts_with('/') && !path.starts_with('@')) || path.size() >= sizeof address.sun_path)
        return -1;
    path.copy(address.sun_path, path.size());
    if (path.starts_with('@')) address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return fd;
    close(fd);
    return -1;
}

}  // namespace

ServiceManager ServiceManager::from_environment() {
    ServiceManager manager;
    manager.socket_ = connected_to(variable("NOTIFY_SOCKET"));
    std::string_view process = variable("WATCHDOG_PID");
    bool for_us = process.empty() || number(process) == getpid();
    if (auto microseconds = number(variable("WATCHDOG_USEC"));
        microseconds && for_us && manager.socket_ >= 0) {
        manager.watchdog_ =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds(*microseconds));
    }
    return manager;
}

ServiceManager::ServiceManager(ServiceManager&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), watchdog_(other.watchdog_) {}

ServiceManager::~ServiceManager() {
    if (socket_ >= 0) close(socket_);
}

void ServiceManager::ready() const {
    say("READY=1");
}

void ServiceManager::reloading() const {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    say("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void ServiceManager::stopping(std::chrono::milliseconds longest) const {
    say("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(std::chrono::microseconds(longest).count()));
}

void ServiceManager::alive() const {
    say("WATCHDOG=1");
}

// Errors are ignored: there is nobody else to report them to, and the manager notices missing messages itself.
void ServiceManager::say(std::string_view text) const {
    if (socket_ >= 0) (void)!send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
}

}  // namespace larder::daemon
