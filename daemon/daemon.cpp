// Parts start in the order of their dependencies: what other parts use comes first.
#include "daemon.hpp"

#include <spdlog/spdlog.h>

#include "daemon/queue/memory_queue.hpp"
#include "daemon/queue/redis_queue.hpp"
#include "daemon/render/replica_router.hpp"
#include "daemon/replicas/health_answer.hpp"
#include "daemon/settings/databases.hpp"

namespace larder::daemon {

namespace {

QueueLimits limits_of(const QueueSettings& settings) {
    return {settings.lease, static_cast<unsigned>(settings.attempts), settings.give_up_for};
}

std::unique_ptr<Queue> make_queue(const QueueSettings& settings) {
    QueueLimits limits = limits_of(settings);
    if (settings.url.starts_with("unix:"))
        return std::make_unique<MemoryQueue>(limits, static_cast<std::size_t>(settings.max_jobs));
    auto redis = std::make_shared<RedisClient>(*parse_redis_url(settings.url), settings.timeout);
    return std::make_unique<RedisQueue>(redis, settings.prefix, limits);
}

// The queue's URL without user and password, for logs.
std::string queue_name(const QueueSettings& settings) {
    auto redis = parse_redis_url(settings.url);
    return redis && !redis->at.is_unix()
               ? "redis://" + redis->at.text() + "/" + std::to_string(redis->database)
               : settings.url;
}

// Health checks of the database servers, for load balancers: the paths of Patroni's REST API, and HAProxy's agent-check.
void add_health_calls(ApiServer& api, replicas::Chooser& chooser) {
    for (const char* path : {"/primary", "/replica", "/read-only", "/agent"}) {
        api.check(path, [&chooser](const ApiRequest& request) -> ApiAnswer {
            replicas::HealthAnswer health = replicas::health(chooser.status(), request.path, request.query);
            return {health.status, health.body, health.content_type, {}, health.reason};
        });
    }
}

void warn_of(Queue& queue) {
    try {
        if (std::string warning = queue.warning(); !warning.empty()) spdlog::warn("{}", warning);
    } catch (const std::exception& error) {
        spdlog::warn("cannot check whether the queue is safe from eviction: {}", error.what());
    }
}

}  // namespace

Daemon::Daemon(Settings settings, std::function<void()> on_drain)
    : settings_(settings),
      started_with_(std::move(settings)),
      stores_(started_with_.stores),
      queue_(make_queue(started_with_.queue)) {
    warn_of(*queue_);
    workers_ = std::make_unique<Workers>(static_cast<std::size_t>(started_with_.render.threads));
    client_ = std::make_unique<BackendClient>();
    Router router;
    if (!started_with_.databases.empty()) {
        chooser_ = std::make_unique<replicas::Chooser>(replica_settings(started_with_));
        chooser_->start();
        router = replica_router(*chooser_, settings_);
    }
    regenerator_ = std::make_unique<Regenerator>(Regenerator::Parts{
        settings_, *queue_, stores_, *workers_, *client_, gate_, metrics_, std::move(router)});
    intake_ = std::make_unique<Intake>(settings_, *queue_, gate_, *regenerator_);
    outbox_ = std::make_unique<Outbox>(started_with_.purge, stores_.all(), metrics_);
    if (started_with_.queue.url.starts_with("unix:")) {
        job_socket_ = std::make_unique<JobSocket>(started_with_.queue.url.substr(5),
                                                  started_with_.queue.socket_mode, *queue_);
    }
    start_api(std::move(on_drain));
    intake_->start();
    purger_ = std::make_unique<Purger>(stores_, *queue_, metrics_);
    prerenderer_ = std::make_unique<Prerenderer>(settings_, *queue_, stores_, *client_, metrics_);
    spdlog::info("taking jobs from {}; the API is at {}", queue_name(started_with_.queue),
                 started_with_.api.listen);
}

Daemon::~Daemon() {
    api_.reset();
    drain();
    client_->abort();
    prerenderer_.reset();
    job_socket_.reset();
    purger_.reset();
    intake_.reset();
    client_.reset();  // before the workers: its thread may still be inside Workers::post()
    workers_.reset();
}

void Daemon::start_api(std::function<void()> on_drain) {
    api_parts_ = std::make_unique<ApiParts>(ApiParts{
        .settings = settings_,
        .queue = *queue_,
        .stores = stores_,
        .outbox = *outbox_,
        .gate = gate_,
        .metrics = metrics_,
        .in_hand = [this] { return intake_->in_hand(); },
        .draining = [this] { return intake_->draining(); },
        .drain = std::move(on_drain),
        .replicas = {},
        .refused_positions = {},
        .started_ms = started_ms_,
    });
    api_ = std::make_unique<ApiServer>(settings_);
    if (chooser_) {
        api_parts_->replicas = [this] { return replicas::to_json(chooser_->status(), chooser_->alarms()); };
        api_parts_->refused_positions = [this] { return chooser_->refused_positions(); };
        add_health_calls(*api_, *chooser_);
    }
    add_calls(*api_, *api_parts_);
    api_->listen();
}

void Daemon::reload(Settings settings) {
    for (const std::string& name : restart_needed(started_with_, settings))
        spdlog::warn("{} changed; it takes effect after a restart", name);
    queue_->set_limits(limits_of(settings.queue));
    settings_.set(std::move(settings));
    spdlog::info("settings reloaded");
}

std::chrono::milliseconds Daemon::longest_drain() const {
    return settings_.get()->render.drain + 10s;
}

bool Daemon::turns(std::chrono::milliseconds longest) const {
    auto settings = settings_.get();
    // The longest time that one claim takes: the queue is empty, or doesn't answer.
    auto look = settings->queue.poll + settings->queue.timeout;
    return client_->turns(longest) && intake_->turns(longest + look);
}

void Daemon::drain() {
    if (intake_->draining()) return;
    prerenderer_->stop();
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
