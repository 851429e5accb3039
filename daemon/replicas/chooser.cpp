// Adds threads and a lock to the pure state machine, Cluster.
#include "daemon/replicas/chooser.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>
#include <random>
#include <utility>

#include "daemon/replicas/decide/cluster.hpp"
#include "daemon/replicas/prober.hpp"

namespace larder::replicas {

namespace {

// Shared ownership with the tokens, because they may outlive the Chooser.
struct Shared {
    std::mutex mutex;
    std::vector<Cluster> clusters;
    std::mt19937_64 generator{std::random_device{}()};
};

// Counts one request in flight to a server; its destructor ends that.
class Hold {
public:
    Hold(std::shared_ptr<Shared> shared, std::size_t database, std::size_t node, Class urgency)
        : shared_(std::move(shared)), database_(database), node_(node), urgency_(urgency) {}
    ~Hold() {
        std::lock_guard lock(shared_->mutex);
        shared_->clusters[database_].end(node_, urgency_);
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

private:
    std::shared_ptr<Shared> shared_;
    std::size_t database_;
    std::size_t node_;
    Class urgency_;
};

// The positions that concern this cluster: all but those that name another configured database.
std::vector<std::string_view> that_concern(const Cluster& cluster, const std::vector<Cluster>& clusters,
                                           std::span<const std::string> positions) {
    std::vector<std::string_view> some;
    for (const std::string& text : positions) {
        auto position = parse_position(text);
        bool elsewhere = position && !cluster.knows(position->node) &&
                         std::any_of(clusters.begin(), clusters.end(),
                                     [&](const Cluster& other) { return other.knows(position->node); });
        if (!elsewhere) some.push_back(text);
    }
    return some;
}

}  // namespace

struct Chooser::State {
    std::vector<DatabaseSettings> settings;
    std::shared_ptr<Shared> shared = std::make_shared<Shared>();
    std::vector<std::vector<std::unique_ptr<Prober>>> probers;  // by database, by node

    void start_prober(std::size_t database, std::size_t node);
    void take(std::size_t database, std::size_t node, const Probe::Result& result, std::int64_t sent_ms);
    void log(std::size_t database, const std::vector<Change>& changes) const;
};

void Chooser::State::start_prober(std::size_t database, std::size_t node) {
    const DatabaseSettings& s = settings[database];
    const NodeSettings& server = node == 0 ? s.primary : s.replicas[node - 1];
    probers[database].push_back(std::make_unique<Prober>(
        server.dsn, s.probe_interval_ms, s.probe_timeout_ms,
        [this, database, node](const Probe::Result& result, std::int64_t sent_ms) {
            take(database, node, result, sent_ms);
        }));
}

void Chooser::State::take(std::size_t database, std::size_t node, const Probe::Result& result,
                          std::int64_t sent_ms) {
    std::vector<Change> changes;
    {
        std::lock_guard lock(shared->mutex);
        Cluster& cluster = shared->clusters[database];
        if (const auto* answer = std::get_if<Probe::Answer>(&result)) {
            changes = cluster.observed(node, answer->seen, answer->sent_ms, answer->received_ms);
        } else if (const auto* error = std::get_if<std::string>(&result)) {
            changes = cluster.failed(node, *error, sent_ms);
        }
    }
    log(database, changes);
}

void Chooser::State::log(std::size_t database, const std::vector<Change>& changes) const {
    for (const Change& change : changes) {
        spdlog::log(change.alarming ? spdlog::level::warn : spdlog::level::info, "database {}: {}",
                    settings[database].name, change.text);
    }
}

Chooser::Chooser(std::vector<DatabaseSettings> databases) : state_(std::make_unique<State>()) {
    state_->settings = std::move(databases);
    for (const DatabaseSettings& database : state_->settings) state_->shared->clusters.emplace_back(database);
}

Chooser::~Chooser() {
    stop();
}

void Chooser::start() {
    stop();
    state_->probers.resize(state_->settings.size());
    for (std::size_t database = 0; database < state_->settings.size(); database++) {
        std::size_t nodes = 0;
        {
            std::lock_guard lock(state_->shared->mutex);
            state_->shared->clusters[database].starting(monotonic_ms());
            nodes = state_->shared->clusters[database].size();
        }
        for (std::size_t node = 0; node < nodes; node++) state_->start_prober(database, node);
    }
}

void Chooser::stop() {
    state_->probers.clear();
}

Choice Chooser::choose(const Request& request) {
    const std::shared_ptr<Shared>& shared = state_->shared;
    Choice choice;
    Decision decision;
    Cluster::Fenced fenced;
    {
        std::lock_guard lock(shared->mutex);
        Cluster& cluster = shared->clusters.at(request.database);
        auto random = [&shared] { return std::uniform_real_distribution<double>()(shared->generator); };
        std::int64_t now_ms = monotonic_ms();
        fenced = cluster.fence_of(that_concern(cluster, shared->clusters, request.positions), now_ms);
        decision = cluster.choose(request.urgency, fenced.fence, request.patience_used, now_ms, random);
        if (decision.node) cluster.begin(*decision.node, request.urgency);
    }
    state_->log(request.database, fenced.changes);
    choice.replaced = std::move(fenced.replaced);
    choice.reason = decision.reason;
    if (!decision.node) {
        choice.hold = true;
        choice.retry_after = std::chrono::milliseconds(decision.retry_after_ms);
        if (decision.awaits_probe && request.database < state_->probers.size()) {
            for (const auto& prober : state_->probers[request.database]) prober->hurry();
        }
        return choice;
    }
    choice.token =
        InFlight(std::make_shared<Hold>(shared, request.database, *decision.node, request.urgency));
    const DatabaseSettings& settings = state_->settings[request.database];
    choice.alias = *decision.node == 0 ? settings.primary.alias : settings.replicas[*decision.node - 1].alias;
    choice.primary = decision.primary;
    return choice;
}

std::vector<NodeStatus> Chooser::status() const {
    std::lock_guard lock(state_->shared->mutex);
    std::vector<NodeStatus> all;
    for (const Cluster& cluster : state_->shared->clusters) {
        for (NodeStatus& node : cluster.status()) all.push_back(std::move(node));
    }
    return all;
}

std::map<std::string, std::uint64_t> Chooser::refused_positions() const {
    std::lock_guard lock(state_->shared->mutex);
    std::map<std::string, std::uint64_t> all;
    for (const Cluster& cluster : state_->shared->clusters)
        all[cluster.settings().name] = cluster.refused_positions();
    return all;
}

std::vector<std::string> Chooser::alarms() const {
    std::lock_guard lock(state_->shared->mutex);
    std::vector<std::string> all;
    for (const Cluster& cluster : state_->shared->clusters) {
        for (const std::string& alarm : cluster.alarms())
            all.push_back(cluster.settings().name + ": " + alarm);
    }
    return all;
}

const std::vector<DatabaseSettings>& Chooser::settings() const {
    return state_->settings;
}

}  // namespace larder::replicas
