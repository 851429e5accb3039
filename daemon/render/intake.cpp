// Two threads: the claimer claims jobs, the keeper renews their leases and sends the heartbeat.
#include "intake.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace larder::daemon {

namespace {
constexpr std::size_t claim_batch = 16;
constexpr auto heartbeat = 500ms;
constexpr auto heartbeat_lifetime = 1500ms;
constexpr auto away_pause = 200ms;
}  // namespace

Intake::Intake(const LiveSettings& settings, Queue& queue, const Gate& gate, Regenerator& regenerator)
    : settings_(settings), queue_(queue), gate_(gate), regenerator_(regenerator) {}

// How many jobs may be in hand. Urgent jobs that wait for a backend don't count, so that a slow backend doesn't block the
// others.
std::size_t Intake::most_in_hand() const {
    return static_cast<std::size_t>(settings_.get()->render.concurrency) + gate_.urgent();
}

void Intake::start() {
    keep();  // announces this larderd, so that enqueues succeed from now on
    keeper_ = std::make_unique<Ticker>(heartbeat, [this] { keep(); });
    claimer_ = std::thread([this] { claim_loop(); });
}

Intake::~Intake() {
    drain(0ms);
    wait_until_idle();
}

void Intake::claim_loop() {
    for (;;) {
        pulse_.beat();
        {
            std::unique_lock lock(mutex_);
            auto room = [this] { return held_.size() < most_in_hand(); };
            // Wakes up every 50 ms because two causes of more room don't notify: a reload, and an urgent job that starts
            // to wait.
            changed_.wait_for(lock, 50ms, [&] { return draining_ || room(); });
            if (draining_) return;
            if (!room()) continue;
        }
        try {
            claim_some();
        } catch (const std::exception& error) {
            spdlog::debug("no jobs: {}", error.what());
            std::this_thread::sleep_for(away_pause);
        }
    }
}

void Intake::claim_some() {
    auto settings = settings_.get();
    std::size_t most = most_in_hand();
    std::size_t room = most - std::min(in_hand(), most);
    std::vector<Claim> claims = queue_.claim(std::min(room, claim_batch));
    for (Claim& claim : claims) start(std::move(claim));
    if (claims.empty()) queue_.wait(settings->queue.poll);
}

void Intake::start(Claim claim) {
    auto hold = std::make_shared<Hold>(*this, claim.lease);
    regenerator_.start(std::move(claim), [hold](Outcome) {});
}

Intake::Hold::Hold(Intake& intake, const Lease& lease) : intake_(intake), lease_(lease.key, lease.token) {
    std::lock_guard lock(intake_.mutex_);
    intake_.held_.insert(lease_);
}

Intake::Hold::~Hold() {
    std::lock_guard lock(intake_.mutex_);
    intake_.held_.erase(lease_);
    intake_.changed_.notify_all();
}

// Sends the heartbeat and renews the leases. The heartbeat's period is shorter than the shortest lease that can be
// configured.
void Intake::keep() {
    std::vector<Lease> leases = held();
    bool away = false;
    try {
        {
            std::lock_guard lock(heartbeat_mutex_);
            if (!draining()) queue_.announce(heartbeat_lifetime);
        }
        if (!leases.empty()) queue_.renew(leases);
        // After an outage of the queue all leases have expired, though their holders are alive. Each larderd renews its
        // own with its next heartbeat, so nothing is reaped before that.
        if (queue_away_) reap_from_ = std::chrono::steady_clock::now() + heartbeat_lifetime;
        bool may_reap = std::chrono::steady_clock::now() >= reap_from_;
        if (std::size_t crashed = may_reap ? queue_.reap() : 0; crashed > 0)
            spdlog::warn("{} jobs were recovered from a daemon that died", crashed);
    } catch (const std::exception& error) {
        away = true;
        if (!queue_away_) spdlog::error("the queue is away: {}", error.what());
    }
    if (queue_away_ && !away) spdlog::warn("the queue is back");
    queue_away_ = away;
}

bool Intake::drain(std::chrono::milliseconds longest) {
    bool first = false;
    {
        std::lock_guard lock(mutex_);
        first = !draining_;
        draining_ = true;
    }
    changed_.notify_all();
    if (first) {
        if (claimer_.joinable()) claimer_.join();
        std::lock_guard lock(heartbeat_mutex_);
        try {
            queue_.announce(0ms);
        } catch (const std::exception& error) {
            spdlog::debug("cannot withdraw the heartbeat, it will expire: {}", error.what());
        }
    }
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, longest, [this] { return held_.empty(); });
}

void Intake::give_back() {
    for (const Lease& lease : held()) queue_.postpone(lease, 0ms);
}

void Intake::wait_until_idle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_.empty(); });
}

std::vector<Lease> Intake::held() const {
    std::lock_guard lock(mutex_);
    std::vector<Lease> leases;
    for (const auto& [key, token] : held_) leases.push_back({key, token});
    return leases;
}

std::size_t Intake::in_hand() const {
    std::lock_guard lock(mutex_);
    return held_.size();
}

bool Intake::draining() const {
    std::lock_guard lock(mutex_);
    return draining_;
}

}  // namespace larder::daemon
