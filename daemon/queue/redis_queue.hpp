// The queue shared by all machines, in Redis. cache/wire/redis_scripts.hpp has the keys and the enqueue script,
// scripts.hpp the other scripts.
#pragma once

#include <atomic>
#include <memory>

#include "cache/wire/store_names.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/redis_client.hpp"

namespace larder::daemon {

class RedisQueue : public Queue {
public:
    RedisQueue(std::shared_ptr<RedisClient> redis, const std::string& prefix, QueueLimits limits);

    void set_limits(const QueueLimits& limits) override;
    Enqueued enqueue(std::string_view key, std::string_view job, std::chrono::milliseconds delay,
                     bool urgent) override;
    std::vector<Claim> claim(std::size_t most) override;
    void wait(std::chrono::milliseconds longest) override;
    Finished finish(const Lease& lease) override;
    Failed fail(const Lease& lease, std::chrono::milliseconds wait, Attempt attempt) override;
    bool refuse(const Lease& lease) override;
    bool postpone(const Lease& lease, std::chrono::milliseconds delay) override;
    void run_again(const Lease& lease, std::string_view job) override;
    std::vector<Lease> renew(const std::vector<Lease>& leases) override;
    std::size_t reap() override;
    void announce(std::chrono::milliseconds lifetime) override;
    bool pending(std::string_view key) override;
    QueueDepths depths() override;
    std::string warning() override;

private:
    std::shared_ptr<RedisClient> redis_;
    const StoreNames names_;
    const std::chrono::milliseconds lease_;
    std::atomic<unsigned> attempts_allowed_;
    std::atomic<std::chrono::milliseconds> give_up_for_;
    const std::string due_, jobs_, running_, owners_, dirty_, asked_, attempts_, dead_, buried_, alive_;
    const std::string self_;  // unique name of this process, for lease tokens and heartbeats
    std::atomic<std::uint64_t> claims_{0};
};

}  // namespace larder::daemon
