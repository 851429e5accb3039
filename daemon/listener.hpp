// A listening socket, TCP or unix, that no other process listens on.
#pragma once

#include <string>

#include "daemon/settings/address.hpp"

namespace larder::daemon {

class Listener {
public:
    // `mode`: permissions of a unix socket's file, in octal ("0660"). Replaces a socket file that nobody listens on any more.
    // Throws std::runtime_error when it can't listen, for instance because another process does.
    Listener(const Endpoint& at, const std::string& mode);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    int fd() const { return fd_; }  // non-blocking

private:
    std::string path_;  // of the unix socket; empty: TCP
    int fd_ = -1;
};

}  // namespace larder::daemon
