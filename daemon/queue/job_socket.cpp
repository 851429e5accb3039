// Flow control: while a peer has most_unread bytes of replies to read, nothing is read from it.
#include "job_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace larder::daemon {

namespace {
constexpr std::size_t most_peers = 1024;
constexpr std::size_t most_unread = 64 * 1024;
constexpr int accept_pause_ms = 100;
}  // namespace

JobSocket::JobSocket(const std::string& path, const std::string& mode, Queue& queue)
    : queue_(queue), listener_(Endpoint{{}, path}, mode) {
    if (pipe2(wake_, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    thread_ = std::thread([this] { loop(); });
}

JobSocket::~JobSocket() {
    close(wake_[1]);
    thread_.join();
    close(wake_[0]);
    for (const auto& [fd, peer] : peers_) close(fd);
}

void JobSocket::welcome() {
    int fd = accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        rests_ = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
        return;
    }
    if (peers_.size() >= most_peers) {
        spdlog::warn("the job socket has {} connections already; one more was refused", peers_.size());
        close(fd);
        return;
    }
    peers_.try_emplace(fd, queue_);
}

// Both return false when the connection is to be closed.
bool JobSocket::read_from(int fd, Peer& peer) {
    std::array<char, 65536> buffer;
    ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    try {
        peer.leaving = !peer.conversation.feed({buffer.data(), static_cast<std::size_t>(got)}, peer.out);
    } catch (const std::exception& error) {
        spdlog::error("job socket: {}", error.what());
        return false;
    }
    return write_to(fd, peer);
}

bool JobSocket::write_to(int fd, Peer& peer) {
    ssize_t sent = peer.out.empty() ? 0 : send(fd, peer.out.data(), peer.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    peer.out.erase(0, static_cast<std::size_t>(sent));
    return !(peer.leaving && peer.out.empty());
}

void JobSocket::loop() {
    for (;;) {
        std::vector<pollfd> watched{{wake_[0], POLLIN, 0}, {listener_.fd(), static_cast<short>(rests_ ? 0 : POLLIN), 0}};
        for (const auto& [fd, peer] : peers_) {
            int events = (peer.out.empty() ? 0 : POLLOUT) |
                         (peer.out.size() < most_unread && !peer.leaving ? POLLIN : 0);
            watched.push_back({fd, static_cast<short>(events), 0});
        }
        if (poll(watched.data(), watched.size(), rests_ ? accept_pause_ms : -1) < 0) continue;
        rests_ = false;
        if (watched[0].revents != 0) return;
        for (std::size_t i = 2; i < watched.size(); i++) {
            int fd = watched[i].fd;
            short events = watched[i].revents;
            Peer& peer = peers_.at(fd);
            bool stays = (events & (POLLERR | POLLNVAL)) == 0;
            if (stays && (events & POLLOUT) != 0) stays = write_to(fd, peer);
            if (stays && (events & POLLIN) != 0) stays = read_from(fd, peer);
            if (stays && (events & (POLLHUP | POLLIN)) == POLLHUP) stays = false;
            if (stays) continue;
            peers_.erase(fd);
            close(fd);
        }
        if (watched[1].revents != 0) welcome();
    }
}

}  // namespace larder::daemon
