// Each change of the queue is one Lua script, and so atomic: a crash can't leave a job between two states.
#include "redis_queue.hpp"

#include <unistd.h>

#include <random>
#include <thread>

#include "cache/priority.hpp"
#include "cache/wire/redis_commands.hpp"
#include "scripts.hpp"

namespace larder::daemon {

namespace {

std::string ms(std::chrono::milliseconds time) {
    return std::to_string(time.count());
}

std::string unique_name() {
    std::random_device random;
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    return std::string(host) + "." + std::to_string(getpid()) + "." + std::to_string(random());
}

Enqueued enqueued_from(std::string_view word) {
    for (Enqueued result : {Enqueued::fresh, Enqueued::dup, Enqueued::raised, Enqueued::running,
                            Enqueued::dirty, Enqueued::refused}) {
        if (word == to_string(result)) return result;
    }
    return Enqueued::nodaemon;
}

}  // namespace

RedisQueue::RedisQueue(std::shared_ptr<RedisClient> redis, const std::string& prefix, QueueLimits limits)
    : redis_(std::move(redis)),
      names_(prefix),
      lease_(limits.lease),
      attempts_allowed_(limits.attempts),
      give_up_for_(limits.give_up_for),
      due_(names_.queue("due")),
      jobs_(names_.queue("jobs")),
      running_(names_.queue("running")),
      owners_(names_.queue("owners")),
      dirty_(names_.queue("dirty")),
      asked_(names_.queue("asked")),
      attempts_(names_.queue("attempts")),
      dead_(names_.queue("dead")),
      buried_(names_.queue("buried")),
      alive_(names_.queue("alive")),
      self_(unique_name()) {}

void RedisQueue::set_limits(const QueueLimits& limits) {
    attempts_allowed_ = limits.attempts;
    give_up_for_ = limits.give_up_for;
}

Enqueued RedisQueue::enqueue(std::string_view key, std::string_view job, std::chrono::milliseconds delay,
                             bool urgent) {
    RedisBatch batch;
    redis_enqueue(batch, names_, key, job, delay.count(), urgent);
    return enqueued_from(redis_->run(batch).text());
}

std::vector<Claim> RedisQueue::claim(std::size_t most) {
    static const RedisScript script(queue_scripts::claim);
    std::string token = self_ + "." + std::to_string(++claims_);
    RedisReply reply = redis_->eval(script, {due_, running_, jobs_, owners_, attempts_},
                                    {std::to_string(most), ms(lease_), token});
    std::vector<Claim> claims;
    for (std::size_t i = 0; i + 4 < reply.size(); i += 5) {
        auto failed = static_cast<unsigned>(std::stoul(std::string(reply.text(i + 2))));
        claims.push_back({{std::string(reply.text(i)), token},
                          std::string(reply.text(i + 1)),
                          failed,
                          std::chrono::milliseconds(reply.integer(i + 4)),
                          std::chrono::milliseconds(reply.integer(i + 3))});
    }
    return claims;
}

void RedisQueue::wait(std::chrono::milliseconds longest) {
    std::this_thread::sleep_for(longest);
}

Finished RedisQueue::finish(const Lease& lease) {
    static const RedisScript script(queue_scripts::finish);
    RedisReply reply =
        redis_->eval(script, {due_, running_, dirty_, jobs_, attempts_, owners_, asked_},
                     {lease.key, lease.token, ms(few_purged_delay)});
    if (reply.text() == "removed") return Finished::removed;
    return reply.text() == "requeued" ? Finished::requeued : Finished::lost;
}

Failed RedisQueue::fail(const Lease& lease, std::chrono::milliseconds wait, Attempt attempt) {
    static const RedisScript script(queue_scripts::fail);
    RedisReply reply = redis_->eval(script, {running_, jobs_, attempts_, owners_, dead_, buried_},
                                    {lease.key, lease.token, std::to_string(attempts_allowed_.load()), ms(wait),
                                     ms(give_up_for_.load()), attempt == Attempt::counts ? "1" : "0"});
    if (reply.text() == "waiting") return Failed::waiting;
    return reply.text() == "given up" ? Failed::given_up : Failed::lost;
}

bool RedisQueue::refuse(const Lease& lease) {
    static const RedisScript script(queue_scripts::refuse);
    return redis_
               ->eval(script, {running_, jobs_, attempts_, owners_, dirty_},
                      {lease.key, lease.token, std::to_string(attempts_allowed_.load()), ms(give_up_for_.load())})
               .integer() == 1;
}

bool RedisQueue::postpone(const Lease& lease, std::chrono::milliseconds delay) {
    static const RedisScript script(queue_scripts::postpone);
    return redis_->eval(script, {due_, running_, dirty_, owners_, asked_}, {lease.key, lease.token, ms(delay)})
               .integer() == 1;
}

void RedisQueue::run_again(const Lease& lease, std::string_view job) {
    static const RedisScript script(queue_scripts::run_again);
    redis_->eval(script, {dirty_, jobs_, owners_}, {lease.key, lease.token, job});
}

std::vector<Lease> RedisQueue::renew(const std::vector<Lease>& leases) {
    static const RedisScript script(queue_scripts::renew);
    std::string length = ms(lease_);
    std::vector<std::string_view> arguments{length};
    for (const Lease& lease : leases) {
        arguments.push_back(lease.key);
        arguments.push_back(lease.token);
    }
    RedisReply reply = redis_->eval(script, {running_, owners_}, RedisClient::Arguments(arguments));
    std::vector<Lease> lost;
    for (std::size_t i = 0; i < reply.size(); i++) {
        for (const Lease& lease : leases) {
            if (lease.key == reply.text(i)) lost.push_back(lease);
        }
    }
    return lost;
}

std::size_t RedisQueue::reap() {
    static const RedisScript script(queue_scripts::reap);
    RedisReply reply =
        redis_->eval(script, {due_, running_, dirty_, jobs_, attempts_, owners_, dead_, buried_, asked_},
                     {std::to_string(attempts_allowed_.load()), ms(give_up_for_.load())});
    return static_cast<std::size_t>(reply.integer());
}

void RedisQueue::announce(std::chrono::milliseconds lifetime) {
    static const RedisScript script(queue_scripts::announce);
    redis_->eval(script, {alive_}, {self_, ms(lifetime)});
}

bool RedisQueue::pending(std::string_view key) {
    if (redis_->command({"HEXISTS", jobs_, key}).integer() == 0) return false;
    RedisReply attempts = redis_->command({"HGET", attempts_, key});
    return attempts.is_nil() || std::stoul(std::string(attempts.text())) < attempts_allowed_.load();
}

QueueDepths RedisQueue::depths() {
    static const RedisScript script(queue_scripts::depths);
    RedisReply reply = redis_->eval(script, {due_, running_, owners_, dead_}, {});
    if (reply.size() != 5) return {};
    return {reply.integer(0), reply.integer(1), reply.integer(2), reply.integer(3), reply.integer(4)};
}

std::string RedisQueue::warning() {
    RedisReply policy = redis_->command({"CONFIG", "GET", "maxmemory-policy"});
    RedisReply limit = redis_->command({"CONFIG", "GET", "maxmemory"});
    if (policy.size() < 2 || limit.size() < 2 || limit.text(1) == "0" ||
        !policy.text(1).starts_with("allkeys"))
        return {};
    return redis_->name() + " evicts any key when it is full (maxmemory-policy " +
           std::string(policy.text(1)) + "), the queue's included; set volatile-lru or noeviction";
}

}  // namespace larder::daemon
