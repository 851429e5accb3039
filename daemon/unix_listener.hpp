// A listening unix socket, with its file: replaced at start when nobody listens there any more, removed at the end.
#pragma once

#include <string>

namespace larder::daemon {

class UnixListener {
public:
    // `mode`: octal text of the file's permissions. Throws std::runtime_error, e.g. when another process listens there.
    UnixListener(const std::string& path, const std::string& mode);
    ~UnixListener();
    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;

    int fd() const { return fd_; }

private:
    std::string path_;
    int fd_ = -1;
};

// Removes the socket file of a process that died. Throws std::runtime_error when somebody answers there.
void remove_stale_socket(const std::string& path);

}  // namespace larder::daemon
