// The gate before each backend: so many requests at a time, a few that wait their turn, and no more.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace larder::daemon {

class Gate {
public:
    // Runs `go` now if fewer than `limit` are inside, or when one leaves; false, and `go` dropped, when `limit` wait already.
    bool enter(const std::string& backend, std::size_t limit, std::function<void()> go) {
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
        go();
        return true;
    }

    // To be called once for each `go` that ran.
    void leave(const std::string& backend) {
        std::function<void()> next;
        {
            std::lock_guard lock(mutex_);
            Line& line = lines_[backend];
            line.inside--;
            if (line.inside >= line.limit || line.waiting.empty()) return;
            next = std::move(line.waiting.front());
            line.waiting.pop_front();
            line.inside++;
        }
        next();
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
        std::deque<std::function<void()>> waiting;
    };

    mutable std::mutex mutex_;  // guards lines_; never held while `go` runs
    std::map<std::string, Line> lines_;
};

}  // namespace larder::daemon
