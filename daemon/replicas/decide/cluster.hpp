// The state of one database and its servers: probe results, roles, rotation, requests in flight. A pure state machine: the
// caller passes in times (monotonic, in ms) and random numbers, and serialises the calls.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/replicas/decide/choice.hpp"
#include "daemon/replicas/decide/fences.hpp"
#include "daemon/replicas/decide/lsn_ring.hpp"
#include "daemon/replicas/decide/rotation.hpp"
#include "daemon/replicas/decide/token_bucket.hpp"
#include "daemon/replicas/settings.hpp"
#include "daemon/replicas/status.hpp"

namespace larder::replicas {

class Cluster {
public:
    // Index 0 is the configured primary, then the replicas in the settings' order.
    explicit Cluster(const DatabaseSettings& settings);

    const DatabaseSettings& settings() const { return settings_; }
    std::size_t size() const { return nodes_.size(); }

    // Probing begins. choose() holds until every server has been probed once, or two probe timeouts have passed.
    void starting(std::int64_t now_ms);

    // The result of the newest probe of a server. The server has looked at its state between `sent_ms` and `received_ms`.
    // Return what has changed, for the log.
    std::vector<Change> observed(std::size_t node, const Observation& seen, std::int64_t sent_ms,
                                 std::int64_t received_ms);
    std::vector<Change> failed(std::size_t node, std::string error, std::int64_t sent_ms);

    // Whether `name` is the name of this database or the alias of one of its servers.
    bool knows(std::string_view name) const;

    // The fence of work that must have seen all these positions. `positions`: of this database, or with a name that no
    // configured database has. `replaced`: the positions of this database that the cluster can't have, each with the one
    // to use in its place.
    struct Fenced {
        Fence fence;
        std::vector<Replaced> replaced;
        std::vector<Change> changes;
    };
    Fenced fence_of(std::span<const std::string_view> positions, std::int64_t now_ms);
    std::uint64_t refused_positions() const { return fences_.refused(); }

    // Each decision that names a node must be followed by one begin() and, when the work is done, one end().
    Decision choose(Class urgency, const Fence& fence, double patience_used, std::int64_t now_ms,
                    const std::function<double()>& random);
    void begin(std::size_t node, Class urgency);
    void end(std::size_t node, Class urgency);

    std::vector<NodeStatus> status() const;
    const std::vector<std::string>& alarms() const { return alarms_; }

private:
    struct Node {
        NodeSettings settings;
        Observation seen;      // newest answer
        bool present = false;  // answers; a few failures in a row are tolerated
        unsigned failures_in_row = 0;
        Role role = Role::unknown;
        Rotation rotation;
        Lag lag;
        double latency_ms = 0;
        unsigned in_flight[2] = {0, 0};  // by Class
        std::int64_t probed_ms = 0;    // when the newest finished probe was sent
        std::int64_t answered_ms = 0;  // when the newest answered probe was sent
        std::uint64_t probes = 0;
        std::uint64_t failures = 0;
        std::uint64_t chosen = 0;
        std::string error;
    };

    bool primary_present() const;
    Horizon horizon() const;
    void judge(std::vector<Change>& changes);
    // Why the replica must get no work whatever its lag; null if nothing is wrong with it.
    const char* flaw(const Node& node) const;
    Sample classify(const Node& node) const;
    void count(Node& node, Sample sample, std::vector<Change>& changes);
    std::string out_because(const Node& node) const;

    DatabaseSettings settings_;
    std::vector<Node> nodes_;
    std::vector<std::string> aliases_;
    std::vector<std::string> alarms_;
    Trust trust_;
    LsnRing ring_;
    Fences fences_;
    TokenBucket primary_tokens_;
    std::int64_t settled_ms_ = 0;
};

}  // namespace larder::replicas
