// The intake: claims jobs while there is room, keeps their leases alive, tells enqueuers that somebody is here.
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
    ~Intake();  // waits until no job is in hand

    // Announces itself and begins to claim.
    void start();
    // Takes no more jobs and tells enqueuers so; returns when none is in hand, or after `longest`. True: none is.
    bool drain(std::chrono::milliseconds longest);
    // Gives the jobs in hand back to the queue, for other daemons to claim at once.
    void give_back();
    // Returns when no job is in hand.
    void wait_until_idle();

    std::size_t in_hand() const;
    bool draining() const;

    // It has looked for jobs within this time, or takes no more. A look takes queue.poll, and queue.timeout if the queue is away.
    bool turns(std::chrono::milliseconds longest) const { return draining() || pulse_.within(longest); }

private:
    // A job in hand. Its end, however it comes, makes room for another.
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
    bool queue_away_ = false;     // of the keeper alone, as the next
    std::chrono::steady_clock::time_point reap_from_{};

    Pulse pulse_;  // of the claimer
    std::unique_ptr<Ticker> keeper_;
    std::thread claimer_;
};

}  // namespace larder::daemon
