// The state machine of one database.
#include "daemon/replicas/decide/cluster.hpp"

#include <algorithm>
#include <utility>

namespace larder::replicas {

namespace {

constexpr double latency_alpha = 0.2;
constexpr std::int64_t starting_retry_ms = 20;

// Samples for hard_max_lag, but not more than 10 MB. A replica that is behind the oldest sample is too late to be used, so a
// smaller ring is safe.
std::size_t ring_capacity(const DatabaseSettings& settings) {
    constexpr std::int64_t most = 400000;
    return static_cast<std::size_t>(
        std::min(most, settings.hard_max_lag_ms / settings.probe_interval_ms + 2));
}

// The primary counts as silent after as many lost probes as take a replica out of rotation.
std::int64_t silence_ms(const DatabaseSettings& settings) {
    return Rotation::failures_to_leave * settings.probe_interval_ms + settings.probe_timeout_ms;
}

}  // namespace

Cluster::Cluster(const DatabaseSettings& settings)
    : settings_(settings),
      ring_(ring_capacity(settings), silence_ms(settings)),
      primary_tokens_(settings.primary_rate, settings.primary_burst) {
    auto add = [this](const NodeSettings& node) {
        nodes_.emplace_back().settings = node;
        aliases_.push_back(node.alias);
    };
    add(settings.primary);
    std::for_each(settings.replicas.begin(), settings.replicas.end(), add);
}

void Cluster::starting(std::int64_t now_ms) {
    settled_ms_ = now_ms + 2 * settings_.probe_timeout_ms;
}

std::vector<Change> Cluster::observed(std::size_t index, const Observation& seen, std::int64_t sent_ms,
                                      std::int64_t received_ms) {
    std::vector<Change> changes;
    Node& node = nodes_[index];
    // A replica reports its current timeline only while it receives WAL; otherwise that of its last checkpoint, which may
    // be older.
    std::uint32_t timeline =
        node.seen.instance == seen.instance ? std::max(node.seen.timeline, seen.timeline) : seen.timeline;
    node.seen = seen;
    node.seen.timeline = timeline;
    node.latency_ms = node.present ? node.latency_ms + latency_alpha * (seen.latency_ms - node.latency_ms)
                                   : seen.latency_ms;
    node.present = true;
    node.probed_ms = node.answered_ms = sent_ms;
    node.probes++;
    node.failures_in_row = 0;
    node.error.clear();
    judge(changes);
    if (node.role == Role::primary) {
        node.lag = {0, Bound::exact};
        node.rotation = {};
        if (static_cast<int>(index) == trust_.primary) ring_.add(received_ms, node.seen.position);
    } else {
        node.lag = node.role == Role::replica ? ring_.lag(node.seen.position, sent_ms) : Lag{};
        count(node, classify(node), changes);
    }
    return changes;
}

std::vector<Change> Cluster::failed(std::size_t index, std::string error, std::int64_t sent_ms) {
    std::vector<Change> changes;
    Node& node = nodes_[index];
    node.probed_ms = sent_ms;
    node.probes++;
    node.failures++;
    node.failures_in_row++;
    node.error = std::move(error);
    if (node.failures_in_row >= Rotation::failures_to_leave) node.present = false;
    if (node.failures_in_row == Rotation::failures_to_leave) {
        changes.push_back({true, node.settings.alias + " does not answer: " + node.error});
    }
    judge(changes);
    count(node, Sample::failed, changes);
    return changes;
}

bool Cluster::primary_present() const {
    return trust_.primary >= 0 && nodes_[static_cast<std::size_t>(trust_.primary)].role == Role::primary;
}

void Cluster::judge(std::vector<Change>& changes) {
    std::vector<const Observation*> seen;
    for (const Node& node : nodes_) seen.push_back(node.present ? &node.seen : nullptr);
    Judgement judgement = judge_roles(seen, aliases_, trust_);
    if (judgement.trust.primary != trust_.primary || judgement.trust.timeline != trust_.timeline)
        ring_.clear();
    trust_ = judgement.trust;
    for (std::size_t i = 0; i < nodes_.size(); i++) {
        Role before = std::exchange(nodes_[i].role, judgement.roles[i]);
        if (before == nodes_[i].role) continue;
        changes.push_back(
            {false, aliases_[i] + ": " + to_string(before) + " -> " + to_string(nodes_[i].role)});
    }
    for (const std::string& alarm : judgement.alarms) {
        if (std::find(alarms_.begin(), alarms_.end(), alarm) == alarms_.end())
            changes.push_back({true, alarm});
    }
    alarms_ = std::move(judgement.alarms);
}

const char* Cluster::flaw(const Node& node) const {
    if (node.role != Role::replica) return to_string(node.role);
    if (trust_.timeline != 0 && node.seen.timeline != trust_.timeline)
        return "on another timeline than the primary";
    // While the primary is down, no replica receives WAL, so that is no fault of the replica.
    bool primary_heard =
        primary_present() && nodes_[static_cast<std::size_t>(trust_.primary)].failures_in_row == 0;
    if (primary_heard && !node.seen.streaming) return "receives no WAL";
    return nullptr;
}

Sample Cluster::classify(const Node& node) const {
    if (flaw(node) != nullptr) return Sample::bad;
    switch (node.lag.bound) {
        case Bound::unknown:
            return Sample::between;
        case Bound::at_most:
            return Sample::good;  // it has everything that the primary wrote before it fell silent
        case Bound::at_least:
            return node.lag.ms > settings_.max_lag_ms ? Sample::bad : Sample::between;
        case Bound::exact:
            break;
    }
    if (node.lag.ms > settings_.max_lag_ms) return Sample::bad;
    return node.lag.ms <= settings_.max_lag_ms / 2 ? Sample::good : Sample::between;
}

void Cluster::count(Node& node, Sample sample, std::vector<Change>& changes) {
    bool before = node.rotation.in();
    node.rotation.count(sample);
    if (before == node.rotation.in()) return;
    changes.push_back(before
                          ? Change{true, node.settings.alias + " leaves the rotation: " + out_because(node)}
                          : Change{false, node.settings.alias + " enters the rotation"});
}

std::string Cluster::out_because(const Node& node) const {
    if (!node.present) return node.error.empty() ? "not probed yet" : "no answer: " + node.error;
    if (node.role == Role::primary) return "";
    if (const char* text = flaw(node)) return text;
    if (classify(node) == Sample::bad) {
        std::string bound = node.lag.bound == Bound::at_least ? "at least " : "";
        return bound + std::to_string(node.lag.ms) +
               " ms late, above max_lag = " + std::to_string(settings_.max_lag_ms) + "ms";
    }
    return "recovering: " + std::to_string(node.rotation.missing()) + " more good probes";
}

bool Cluster::knows(std::string_view name) const {
    return name == settings_.name || std::find(aliases_.begin(), aliases_.end(), name) != aliases_.end();
}

Horizon Cluster::horizon() const {
    Horizon all{.system = trust_.system, .timeline = trust_.timeline, .primary_answers = primary_present()};
    if (trust_.primary >= 0) all.wal = nodes_[static_cast<std::size_t>(trust_.primary)].seen.wal;
    if (all.primary_answers) {
        const Node& primary = nodes_[static_cast<std::size_t>(trust_.primary)];
        all.primary_at = primary.seen.position;
        all.primary_asked_ms = primary.answered_ms;
    }
    all.everyone_asked_ms = nodes_.front().probed_ms;
    for (const Node& node : nodes_) {
        all.everyone_asked_ms = std::min(all.everyone_asked_ms, node.probed_ms);
        bool ours = node.role == Role::primary || node.role == Role::replica;
        if (ours && node.seen.timeline == trust_.timeline)
            all.furthest = std::max(all.furthest, node.seen.position);
    }
    return all;
}

Cluster::Fenced Cluster::fence_of(std::span<const std::string_view> positions, std::int64_t now_ms) {
    Fenced out;
    Horizon known = horizon();
    for (std::string_view text : positions) {
        if (text.empty()) continue;
        auto position = parse_position(text);
        bool ours = position && knows(position->node);
        Fences::Meaning meaning = fences_.of(text, ours, known, now_ms, out.changes);
        if (meaning.replaced && ours) {
            out.replaced.push_back({std::string(text), position_text(position->node, known.system, meaning.fence.timeline,
                                                                     meaning.fence.lsn)});
        }
        out.fence = stricter(out.fence, meaning.fence);
    }
    return out;
}

Decision Cluster::choose(Class urgency, const Fence& fence, double patience_used, std::int64_t now_ms,
                         const std::function<double()>& random) {
    bool all_probed =
        std::all_of(nodes_.begin(), nodes_.end(), [](const Node& node) { return node.probes > 0; });
    if (!all_probed && now_ms < settled_ms_) {
        return {.node = {}, .retry_after_ms = starting_retry_ms, .reason = "the first probes are still out"};
    }
    std::vector<Candidate> candidates;
    Situation situation{
        .nodes = {},
        .timeline = trust_.timeline,
        .primary_answers = primary_present(),
        .hard_max_lag_ms = settings_.hard_max_lag_ms,
        .probe_interval_ms = settings_.probe_interval_ms,
        .primary_token_ms = static_cast<std::int64_t>(1000.0 / settings_.primary_rate),
        .background_on_primary = 0,
        .live_on_primary = 0,
        .primary_jobs = settings_.primary_jobs,
        .primary_live = settings_.primary_live,
        .take_primary_token = [this, now_ms] { return primary_tokens_.take(now_ms); },
        .random = random,
    };
    for (const Node& node : nodes_) {
        auto [background, live] = node.in_flight;
        if (node.role == Role::primary) {
            situation.background_on_primary += background;
            situation.live_on_primary += live;
        }
        candidates.push_back({
            .role = node.role,
            .in_rotation = node.role == Role::replica && node.rotation.in(),
            .lag = node.lag,
            .replayed = node.seen.position,
            .timeline = node.seen.timeline,
            .in_flight = background + live,
            .busy = node.seen.max_connections == 0
                        ? 0.0
                        : static_cast<double>(node.seen.active) / node.seen.max_connections,
            .latency_ms = node.latency_ms,
            .weight = node.settings.weight,
        });
    }
    situation.nodes = candidates;
    return decide(situation, urgency, fence, patience_used);
}

void Cluster::begin(std::size_t node, Class urgency) {
    nodes_[node].in_flight[static_cast<std::size_t>(urgency)]++;
    nodes_[node].chosen++;
}

void Cluster::end(std::size_t node, Class urgency) {
    nodes_[node].in_flight[static_cast<std::size_t>(urgency)]--;
}

std::vector<NodeStatus> Cluster::status() const {
    std::vector<NodeStatus> all;
    for (const Node& node : nodes_) {
        NodeStatus& out = all.emplace_back();
        out.database = settings_.name;
        out.alias = node.settings.alias;
        out.role = node.role;
        out.in_rotation = node.role == Role::primary || (node.role == Role::replica && node.rotation.in());
        if (!out.in_rotation) out.reason = out_because(node);
        out.answering = node.probes > 0 && node.failures_in_row == 0;
        out.lag = node.lag;
        out.position = node.seen.position;
        out.timeline = node.seen.timeline;
        out.streaming = node.seen.streaming;
        out.replay_paused = node.seen.replay_paused;
        out.active = node.seen.active;
        out.max_connections = node.seen.max_connections;
        out.in_flight = node.in_flight[0] + node.in_flight[1];
        out.weight = node.settings.weight;
        out.latency_ms = node.latency_ms;
        out.probes = node.probes;
        out.failures = node.failures;
        out.chosen = node.chosen;
        out.last_error = node.error;
    }
    return all;
}

}  // namespace larder::replicas
