// Tries the rules of decide() in order.
#include "daemon/replicas/decide/choice.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

namespace larder::replicas {

namespace {

constexpr double last_call = 0.8;         // fraction of the patience after which a stale replica is better than waiting
constexpr double tie = 1.1;               // costs that differ by less than this factor count as equal
constexpr double latency_floor_ms = 1.0;  // differences between probes below this say nothing about renders
constexpr std::int64_t replay_wait_ms =
    20;  // a commit is usually replayed within a millisecond (see docs/replicas.md)
constexpr std::int64_t longest_wait_ms = 10000;

class Choosing {
public:
    Choosing(const Situation& situation, Class urgency, const Fence& fence, double patience_used)
        : s_(situation),
          urgency_(urgency),
          fence_(fence),
          desperate_(urgency == Class::live || patience_used >= last_call) {}

    Decision decide() const {
        if (fence_.kind == FenceKind::unclear) return unclear();
        auto in_rotation = filter([](const Candidate& node) { return node.in_rotation; });
        if (auto fit = satisfying(in_rotation); !fit.empty()) return chosen(pick(fit), "in rotation");
        if (!s_.primary_answers) return without_primary();
        if (desperate_) return least_lagged_or_primary();
        if (!in_rotation.empty()) return await_replay(in_rotation);
        return hold(recovery_ms(), "no replica is in rotation");
    }

private:
    using Indices = std::vector<std::size_t>;

    template <typename Predicate>
    Indices filter(Predicate&& keep) const {
        Indices kept;
        for (std::size_t i = 0; i < s_.nodes.size(); i++) {
            if (s_.nodes[i].role == Role::replica && keep(s_.nodes[i])) kept.push_back(i);
        }
        return kept;
    }

    // LSNs on different timelines don't compare, so the replica must be on the fence's timeline.
    bool satisfies(const Candidate& node) const {
        return fence_.kind == FenceKind::none ||
               (node.timeline == fence_.timeline && node.replayed >= fence_.lsn);
    }

    Indices satisfying(Indices nodes) const {
        std::erase_if(nodes, [this](std::size_t i) { return !satisfies(s_.nodes[i]); });
        return nodes;
    }

    // Without a primary, lag is unknown, so it excludes no replica. The fence still does.
    Decision without_primary() const {
        auto all = filter(
            [this](const Candidate& node) { return s_.timeline == 0 || node.timeline == s_.timeline; });
        if (auto fit = satisfying(all); !fit.empty())
            return chosen(pick(fit), "no primary answers: freshness unknown");
        if (all.empty()) return hold(s_.probe_interval_ms, "no server answers");
        return hold(s_.probe_interval_ms, "no primary answers, and no replica has replayed its position");
    }

    Decision least_lagged_or_primary() const {
        auto usable = satisfying(filter([this](const Candidate& node) {
            return node.lag.bound == Bound::exact && node.lag.ms <= s_.hard_max_lag_ms &&
                   node.timeline == s_.timeline;
        }));
        if (usable.empty()) return primary("no usable replica");
        std::size_t best = *std::min_element(
            usable.begin(), usable.end(),
            [this](std::size_t a, std::size_t b) { return s_.nodes[a].lag.ms < s_.nodes[b].lag.ms; });
        return chosen(best, "the least-lagged replica");
    }

    Decision unclear() const {
        if (desperate_ || !s_.primary_answers)
            return primary("its position can't be compared yet: only the primary is safe");
        Decision decision = hold(replay_wait_ms, "its position can't be compared before the next probe");
        decision.awaits_probe = true;
        return decision;
    }

    Decision await_replay(const Indices& nodes) const {
        std::int64_t least_ms = s_.nodes[nodes.front()].lag.ms;
        for (std::size_t i : nodes) least_ms = std::min(least_ms, s_.nodes[i].lag.ms);
        Decision decision =
            hold(std::max(replay_wait_ms, least_ms), "no replica in rotation has replayed its position yet");
        decision.awaits_probe = true;
        return decision;
    }

    Decision primary(const char* reason) const {
        auto found = std::find_if(s_.nodes.begin(), s_.nodes.end(),
                                  [](const Candidate& node) { return node.role == Role::primary; });
        if (found == s_.nodes.end())
            return hold(s_.probe_interval_ms, "it needs the primary, and none answers");
        bool live = urgency_ == Class::live;
        if ((live ? s_.live_on_primary : s_.background_on_primary) >=
            (live ? s_.primary_live : s_.primary_jobs)) {
            return hold(s_.probe_interval_ms, "it needs the primary, which has all the work it may get");
        }
        if (!live && !s_.take_primary_token()) {
            return hold(s_.primary_token_ms, "it needs the primary, which gets work only at a limited rate");
        }
        return chosen(static_cast<std::size_t>(found - s_.nodes.begin()), reason);
    }

    Decision chosen(std::size_t node, const char* reason) const {
        return {.node = node, .primary = s_.nodes[node].role == Role::primary, .reason = reason};
    }

    // Adds up to a quarter at random, so that jobs that were held at the same time don't all come back at the same time.
    Decision hold(std::int64_t ms, const char* reason) const {
        double jittered = static_cast<double>(std::clamp<std::int64_t>(ms, 1, longest_wait_ms)) *
                          (1.0 + 0.25 * s_.random());
        return {
            .node = {}, .retry_after_ms = static_cast<std::int64_t>(std::ceil(jittered)), .reason = reason};
    }

    // How soon a replica may be back in rotation: not before it has had enough good probes; if all are far behind, after
    // half of the smallest lag.
    std::int64_t recovery_ms() const {
        std::int64_t least_ms = longest_wait_ms;
        for (const Candidate& node : s_.nodes) {
            if (node.role == Role::replica && node.lag.bound != Bound::unknown)
                least_ms = std::min(least_ms, node.lag.ms / 2);
        }
        bool none_known = least_ms == longest_wait_ms;
        return std::max(5 * s_.probe_interval_ms, none_known ? 0 : least_ms);
    }

    // The relative cost of a render on this node. The weight scales the node's load, not its latency: idle nodes cost the
    // same, and busy nodes share the load in proportion to their weights.
    static double cost(const Candidate& node) {
        double load = (node.in_flight + node.busy) / node.weight;
        return (1.0 + load) * std::max(node.latency_ms, latency_floor_ms);
    }

    // Removes a random node from `from`, with a probability proportional to its weight, and returns it.
    std::size_t draw(Indices& from) const {
        double total = 0;
        for (std::size_t i : from) total += s_.nodes[i].weight;
        double point = s_.random() * total;
        std::size_t at = 0;
        for (; at + 1 < from.size(); at++) {
            point -= s_.nodes[from[at]].weight;
            if (point < 0) break;
        }
        std::size_t drawn = std::exchange(from[at], from.back());
        from.pop_back();
        return drawn;
    }

    // The power of two choices (Mitzenmacher 2001): takes the cheaper of two random nodes. Taking the cheapest of all
    // would send all requests to one node until the next probe, since they decide by the same, slightly old numbers.
    std::size_t pick(Indices from) const {
        std::size_t first = draw(from);
        if (from.empty()) return first;
        std::size_t second = draw(from);
        return cost(s_.nodes[first]) <= cost(s_.nodes[second]) * tie ? first : second;
    }

    const Situation& s_;
    Class urgency_;
    const Fence& fence_;
    bool desperate_;
};

}  // namespace

Fence stricter(const Fence& a, const Fence& b) {
    if (a.kind == FenceKind::unclear || b.kind == FenceKind::none) return a;
    if (b.kind == FenceKind::unclear || a.kind == FenceKind::none) return b;
    return std::tie(a.timeline, a.lsn) < std::tie(b.timeline, b.lsn) ? b : a;
}

Decision decide(const Situation& situation, Class urgency, const Fence& fence, double patience_used) {
    return Choosing(situation, urgency, fence, patience_used).decide();
}

}  // namespace larder::replicas
