// The probing loop.
#include "daemon/replicas/prober.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <system_error>
#include <utility>

namespace larder::replicas {

namespace {

constexpr std::int64_t shortest_pause_ms = 10;

// Blocks all signals while the thread is created. The thread inherits the mask, so it never receives signals meant for
// main().
class AllSignalsBlocked {
public:
    AllSignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

private:
    sigset_t before_;
};

}  // namespace

Prober::EventFd::EventFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Prober::EventFd::~EventFd() {
    close(fd_);
}

void Prober::EventFd::set() {
    eventfd_write(fd_, 1);  // fails only if the counter is at its maximum, and then the eventfd is readable anyway
}

void Prober::EventFd::clear() {
    eventfd_t count;
    eventfd_read(fd_, &count);
}

Prober::Prober(const std::string& dsn, std::int64_t interval_ms, std::int64_t timeout_ms, Sink sink)
    : interval_ms_(interval_ms), sink_(std::move(sink)), probe_(dsn, timeout_ms, stop_.fd()) {
    AllSignalsBlocked blocked;
    thread_ = std::thread([this] { loop(); });
}

Prober::~Prober() {
    stop_.set();
    thread_.join();
}

void Prober::hurry() {
    hurry_.set();
}

void Prober::loop() {
    for (;;) {
        std::int64_t begin_ms = monotonic_ms();
        Probe::Result result = probe_.run();
        if (std::holds_alternative<Probe::Interrupted>(result)) return;
        sink_(result, begin_ms);
        if (!pause(begin_ms)) return;
    }
}

// Waits until interval_ms_ after `since_ms`, or until hurry(). Returns false when the thread is to end.
bool Prober::pause(std::int64_t since_ms) {
    pollfd stop = {stop_.fd(), POLLIN, 0};
    if (poll(&stop, 1, static_cast<int>(shortest_pause_ms)) > 0) return false;
    for (;;) {
        std::int64_t left_ms = since_ms + interval_ms_ - monotonic_ms();
        if (left_ms <= 0) return true;
        pollfd fds[2] = {stop, {hurry_.fd(), POLLIN, 0}};
        poll(fds, 2, static_cast<int>(left_ms));
        if (fds[0].revents != 0) return false;
        if (fds[1].revents != 0) {
            hurry_.clear();
            return true;
        }
    }
}

}  // namespace larder::replicas
