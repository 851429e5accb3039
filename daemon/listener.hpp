// A listening socket, TCP or unix, that no second process shares.
#pragma once

#include <string>

#include "daemon/settings/address.hpp"

namespace larder::daemon {

class Listener {
public:
    // `mode`: permissions of a unix socket's file, as octal text. A socket file that a process left behind is replaced. Throws
    // std::runtime_error, e.g. when another process listens there.
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
