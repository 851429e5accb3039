// The gate before each backend: so many requests at a time, a few that wait their turn, and no more.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace larder::daemon {

class Gate {
public:
    // A place inside; its end gives the place to the next in line. The gate must outlive it.
    class Ticket {
    public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept
            : gate_(std::exchange(other.gate_, nullptr)), backend_(std::move(other.backend_)) {}
        Ticket& operator=(Ticket&& other) noexcept {
            Ticket taken(std::move(other));
            std::swap(gate_, taken.gate_);
            std::swap(backend_, taken.backend_);
            return *this;
        }
        ~Ticket() {
            if (gate_ != nullptr) gate_->leave(backend_);
        }

    private:
        friend class Gate;
        Ticket(Gate* gate, std::string backend) : gate_(gate), backend_(std::move(backend)) {}

        Gate* gate_ = nullptr;
        std::string backend_;
    };
    // Must be quick and must not throw: it may run where a ticket ends.
    using Go = std::function<void(Ticket)>;

    // Runs `go` now if fewer than `limit` are inside, or when one leaves; false, and `go` dropped, when `limit` wait already.
    bool enter(const std::string& backend, std::size_t limit, Go go) {
        {
            std::lock_guard lock(mutex_);
            Line& line = lines_[backend];
            line.limit = limit;
            if (line.inside >= limit) {
                if (line.waiting.size() >= limit) return false;
                line.waiting.push_back(std::move(go));
                return true;
            }
            line.inside++;
        }
        go(Ticket(this, backend));
        return true;
    }

    struct Load {
        std::size_t inside = 0, waiting = 0;
    };
    std::map<std::string, Load> load() const {
        std::lock_guard lock(mutex_);
        std::map<std::string, Load> out;
        for (const auto& [backend, line] : lines_) out[backend] = {line.inside, line.waiting.size()};
        return out;
    }

private:
    struct Line {
        std::size_t limit = 0, inside = 0;
        std::deque<Go> waiting;
    };

    void leave(const std::string& backend) {
        Go next;
        {
            std::lock_guard lock(mutex_);
            Line& line = lines_[backend];
            line.inside--;
            if (line.inside >= line.limit || line.waiting.empty()) return;
            next = std::move(line.waiting.front());
            line.waiting.pop_front();
            line.inside++;
        }
        next(Ticket(this, backend));
    }

    mutable std::mutex mutex_;  // guards lines_; never held while `go` runs
    std::map<std::string, Line> lines_;
};

}  // namespace larder::daemon
