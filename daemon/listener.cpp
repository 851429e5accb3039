// A unix socket gets its permissions between bind() and listen(), so that nobody can connect before they are set. TCP sockets
// don't use SO_REUSEPORT: with it a second larderd would start without an error and get half of the connections.
#include "listener.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace larder::daemon {

namespace {

constexpr int backlog = 256;

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

std::runtime_error failure(const std::string& where, const char* what) {
    return std::runtime_error(where + ": " + what + ": " + std::strerror(errno));
}

// Only ECONNREFUSED proves that nobody listens there. Other errors don't: EAGAIN means that the listener's backlog is full.
void remove_stale_socket(const std::string& path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return;
    if (!S_ISSOCK(status.st_mode))
        throw std::runtime_error("unix:" + path + ": there is a file of another kind");
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address = address_of(path);
    bool refused = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                   errno == ECONNREFUSED;
    close(probe);
    if (!refused) throw std::runtime_error("unix:" + path + ": another process listens there");
    unlink(path.c_str());
}

int listen_unix(const std::string& path, const std::string& mode) {
    remove_stale_socket(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) throw failure("unix:" + path, "socket");
    sockaddr_un address = address_of(path);
    const char* failed = nullptr;
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        failed = "bind";
    } else if (chmod(path.c_str(), static_cast<mode_t>(std::stoul(mode, nullptr, 8))) != 0) {
        failed = "chmod";
    } else if (listen(fd, backlog) != 0) {
        failed = "listen";
    }
    if (failed == nullptr) return fd;
    std::runtime_error error = failure("unix:" + path, failed);
    close(fd);
    throw error;
}

// The first address of the host that can be bound.
int listen_tcp(const Endpoint& at) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    int code = getaddrinfo(at.tcp.host.c_str(), std::to_string(at.tcp.port).c_str(), &hints, &found);
    if (code != 0) throw std::runtime_error(at.text() + ": " + gai_strerror(code));
    std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) continue;
        int yes = 1;  // a restart must not wait for old connections in TIME_WAIT
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, backlog) == 0) return fd;
        int why = errno;
        close(fd);
        errno = why;
    }
    throw failure(at.text(), "bind");
}

}  // namespace

Listener::Listener(const Endpoint& at, const std::string& mode)
    : path_(at.path), fd_(at.is_unix() ? listen_unix(at.path, mode) : listen_tcp(at)) {}

Listener::~Listener() {
    close(fd_);
    if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace larder::daemon
