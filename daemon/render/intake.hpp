// Claims jobs from the queue while there is room, renews their leases, and announces this larderd to enqueuers. Its
// methods are thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "daemon/live_settings.hpp"
#include "daemon/pulse.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/render/gate.hpp"
#include "daemon/render/regenerator.hpp"
#include "daemon/ticker.hpp"

namespace larder::daemon {

class Intake {
public:
    Intake(const LiveSettings& settings, Queue& queue, const Gate& gate, Regenerator& regenerator);
    ~Intake();  // drains, and waits until no job is in hand

    // Announces this larderd and begins to claim jobs.
    void start();
    // Stops claiming, withdraws the announcement, and waits until no job is in hand, at most `longest`. Returns whether
    // none is.
    bool drain(std::chrono::milliseconds longest);
    // Puts the jobs in hand back into the queue, where another larderd may claim them at once. Throws when the queue is down.
    void give_back();
    // Waits until no job is in hand.
    void wait_until_idle();

    std::size_t in_hand() const;
    bool draining() const;

    // Whether the claimer has passed through its loop within `longest`, or is draining. One round takes up to queue.poll, or
    // queue.timeout if the queue is down.
    bool turns(std::chrono::milliseconds longest) const { return draining() || pulse_.within(longest); }

private:
    // A job in hand. Its destructor makes room for another.
    class Hold {
    public:
        Hold(Intake& intake, const Lease& lease);
        ~Hold();
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

    private:
        Intake& intake_;
        const std::pair<std::string, std::string> lease_;
    };

    std::size_t most_in_hand() const;
    void claim_loop();
    void claim_some();
    void start(Claim claim);
    void keep();
    std::vector<Lease> held() const;

    const LiveSettings& settings_;
    Queue& queue_;
    const Gate& gate_;
    Regenerator& regenerator_;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable changed_;
    std::set<std::pair<std::string, std::string>> held_;  // key and token of the leases in hand
    bool draining_ = false;

    std::mutex heartbeat_mutex_;  // held while announcing, so that no heartbeat follows the withdrawal
    // Used by the keeper alone:
    bool queue_away_ = false;
    std::chrono::steady_clock::time_point reap_from_{};  // not reaped before this time

    Pulse pulse_;  // of the claimer
    std::unique_ptr<Ticker> keeper_;
    std::thread claimer_;
};

}  // namespace larder::daemon
