// Construction is the start order, from what others need to what needs others.
#include "daemon.hpp"

#include <spdlog/spdlog.h>

#include "daemon/queue/memory_queue.hpp"
#include "daemon/queue/redis_queue.hpp"

namespace larder::daemon {

namespace {

std::unique_ptr<Queue> make_queue(const QueueSettings& settings) {
    QueueLimits limits{settings.lease, static_cast<unsigned>(settings.attempts), settings.give_up_for};
    if (settings.url.starts_with("unix:")) return std::make_unique<MemoryQueue>(limits, static_cast<std::size_t>(settings.max_jobs));
    auto redis = std::make_shared<RedisClient>(*parse_redis_url(settings.url), settings.timeout);
    return std::make_unique<RedisQueue>(redis, settings.prefix, limits);
}

void warn_of(Queue& queue) {
    try {
        if (std::string warning = queue.warning(); !warning.empty()) spdlog::warn("{}", warning);
    } catch (const std::exception& error) {
        spdlog::warn("cannot check whether the queue is safe from eviction: {}", error.what());
    }
}

}  // namespace

Daemon::Daemon(Settings settings)
    : settings_(settings), started_with_(std::move(settings)), stores_(started_with_.stores), queue_(make_queue(started_with_.queue)) {
    warn_of(*queue_);
    workers_ = std::make_unique<Workers>(static_cast<std::size_t>(started_with_.render.threads));
    client_ = std::make_unique<BackendClient>();
    regenerator_ = std::make_unique<Regenerator>(
        Regenerator::Parts{settings_, *queue_, stores_, *workers_, *client_, gate_, metrics_, Router()});
    intake_ = std::make_unique<Intake>(settings_, *queue_, *regenerator_);
    spdlog::info("taking jobs from {}", started_with_.queue.url);
}

Daemon::~Daemon() {
    drain();
    intake_.reset();
    workers_.reset();
}

void Daemon::reload(Settings settings) {
    for (const std::string& name : restart_needed(started_with_, settings)) spdlog::warn("{} changed; it takes effect after a restart", name);
    settings_.set(std::move(settings));
    spdlog::info("settings reloaded");
}

void Daemon::drain() {
    if (intake_->draining()) return;
    spdlog::info("draining, {} jobs in hand", intake_->in_hand());
    if (intake_->drain(settings_.get()->render.drain)) return spdlog::info("drained");
    spdlog::warn("{} jobs go back to the queue", intake_->in_hand());
    try {
        intake_->give_back();
    } catch (const std::exception& error) {
        spdlog::warn("the queue is away, their leases will expire: {}", error.what());
    }
    client_->abort();
    intake_->wait_until_idle();
}

}  // namespace larder::daemon
