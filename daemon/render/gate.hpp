// The gate before each backend: so many requests at a time, a few that wait their turn, and no more. Urgent ones have lines of
// their own, which go first, and are hardly ever turned away: a job that is turned away loses its place in the queue.
#pragma once

#include <algorithm>
#include <array>
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

    enum class Turn : std::uint8_t { visited, few, usual };  // as in cache/priority.hpp

    // Runs `go` now if fewer than `limit` are inside, or when one leaves; false, and `go` dropped, when too many wait already: of the
    // usual ones `limit`, of urgent ones most_urgent at all backends.
    bool enter(const std::string& backend, std::size_t limit, Turn turn, Go go) {
        {
            std::lock_guard lock(mutex_);
            Line& line = lines_[backend];
            line.limit = limit;
            if (line.inside >= limit) {
                if (turn == Turn::usual ? line.usual().size() >= limit : urgent_ >= most_urgent) return false;
                if (turn != Turn::usual) urgent_++;
                line.waiting[static_cast<std::size_t>(turn)].push_back(std::move(go));
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
        for (const auto& [backend, line] : lines_) out[backend] = {line.inside, line.waiting[0].size() + line.waiting[1].size() + line.waiting[2].size()};
        return out;
    }

    // Urgent requests that wait.
    std::size_t urgent() const {
        std::lock_guard lock(mutex_);
        return urgent_;
    }

private:
    static constexpr std::size_t most_urgent = 1024;

    struct Line {
        std::size_t limit = 0, inside = 0;
        std::array<std::deque<Go>, 3> waiting;  // by turn

        std::deque<Go>& usual() { return waiting[static_cast<std::size_t>(Turn::usual)]; }
    };

    void leave(const std::string& backend) {
        Go next;
        {
            std::lock_guard lock(mutex_);
            Line& line = lines_[backend];
            line.inside--;
            auto waiting = std::find_if(line.waiting.begin(), line.waiting.end(), [](const auto& w) { return !w.empty(); });
            if (line.inside >= line.limit || waiting == line.waiting.end()) return;
            next = std::move(waiting->front());
            waiting->pop_front();
            if (&*waiting != &line.usual()) urgent_--;
            line.inside++;
        }
        next(Ticket(this, backend));
    }

    mutable std::mutex mutex_;  // guards what follows; never held while `go` runs
    std::map<std::string, Line> lines_;
    std::size_t urgent_ = 0;
};

}  // namespace larder::daemon
