// The gate before each backend: so many requests at a time, a few that wait their turn, and no more. Those for somebody who waits
// have a line of their own, which goes first.
#pragma once

#include <cstdint>
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

    enum class Turn : std::uint8_t { first, usual };

    // Runs `go` now if fewer than `limit` are inside, or when one leaves; false, and `go` dropped, when `limit` wait already in
    // that line.
    bool enter(const std::string& backend, std::size_t limit, Turn turn, Go go) {
        {
            std::lock_guard lock(mutex_);
            Line& line = lines_[backend];
            line.limit = limit;
            if (line.inside >= limit) {
                auto& waiting = turn == Turn::first ? line.first : line.usual;
                if (waiting.size() >= limit) return false;
                waiting.push_back(std::move(go));
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
        for (const auto& [backend, line] : lines_) out[backend] = {line.inside, line.first.size() + line.usual.size()};
        return out;
    }

private:
    struct Line {
        std::size_t limit = 0, inside = 0;
        std::deque<Go> first, usual;  // that wait
    };

    void leave(const std::string& backend) {
        Go next;
        {
            std::lock_guard lock(mutex_);
            Line& line = lines_[backend];
            line.inside--;
            auto& waiting = line.first.empty() ? line.usual : line.first;
            if (line.inside >= line.limit || waiting.empty()) return;
            next = std::move(waiting.front());
            waiting.pop_front();
            line.inside++;
        }
        next(Ticket(this, backend));
    }

    mutable std::mutex mutex_;  // guards lines_; never held while `go` runs
    std::map<std::string, Line> lines_;
};

}  // namespace larder::daemon
