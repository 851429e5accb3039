// Limits the simultaneous requests to each backend. Requests beyond the limit wait in a bounded line. Urgent requests have
// separate lines, which are served first and are much longer: a job that finds its line full goes back to the queue and
// waits there again.
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
    // A place at a backend. Its destructor passes the place to the next request in line. The gate must outlive it.
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
    // Called with the ticket when the request may begin. Must not block or throw: it may run inside a ticket's destructor.
    using Go = std::function<void(Ticket)>;

    // In order of priority. visited, few: urgent, as visited_delay and few_purged_delay in cache/priority.hpp; usual: all
    // others.
    enum class Turn : std::uint8_t { visited, few, usual };

    // Calls `go` now if fewer than `limit` requests are inside, else when one leaves. Returns false, without ever calling
    // `go`, if too many wait: `limit` usual ones for this backend, or most_urgent urgent ones for all backends together.
    // Thread-safe.
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

    // Number of urgent requests that wait, at all backends.
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
