// bind, chmod, listen: in this order nobody connects before the permissions are right.
#include "unix_listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace larder::daemon {

namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

std::runtime_error failure(const std::string& path, const char* what) {
    return std::runtime_error("unix:" + path + ": " + what + ": " + std::strerror(errno));
}

}  // namespace

void remove_stale_socket(const std::string& path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return;
    if (!S_ISSOCK(status.st_mode))
        throw std::runtime_error("unix:" + path + ": there is a file of another kind");
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = address_of(path);
    bool answered = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(probe);
    if (answered) throw std::runtime_error("unix:" + path + ": another process listens there");
    unlink(path.c_str());
}

UnixListener::UnixListener(const std::string& path, const std::string& mode) : path_(path) {
    remove_stale_socket(path);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) throw failure(path, "socket");
    sockaddr_un address = address_of(path);
    const char* failed = nullptr;
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        failed = "bind";
    } else if (chmod(path.c_str(), static_cast<mode_t>(std::stoul(mode, nullptr, 8))) != 0) {
        failed = "chmod";
    } else if (listen(fd_, 256) != 0) {
        failed = "listen";
    }
    if (failed == nullptr) return;
    std::runtime_error error = failure(path, failed);
    close(fd_);
    throw error;
}

UnixListener::~UnixListener() {
    close(fd_);
    unlink(path_.c_str());
}

}  // namespace larder::daemon
