// Turns commit positions, which come from outside, into fences of one cluster.
//
// A position that the cluster can reach is used as it is. An impossible position is replaced. It is impossible if it
// belongs to another cluster, is on a timeline that the cluster has left or never had, is beyond the end of the log, or is
// malformed. Its replacement is the primary's position at a probe after we first saw it: the write came before, so a
// server that has replayed that much has the write, if the cluster has it at all. So no text from outside can delay work
// for longer than replication takes, and none weakens a fence.
//
// A position may look impossible because it is newer than our last probe. So it is judged only by a probe that was sent
// after we first saw it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/replicas/decide/choice.hpp"
#include "cache/position.hpp"

namespace larder::replicas {

// A message for the log.
struct Change {
    bool alarming = false;
    std::string text;
};

// A position that the cluster can't reach, and the one to use in its place.
struct Replaced {
    std::string position;
    std::string by;
};

// What the probes say about positions. Times are monotonic, in ms.
struct Horizon {
    std::uint64_t system = 0;    // system identifier of the cluster; 0: none seen yet
    std::uint32_t timeline = 0;  // of the trusted primary; 0: none seen yet
    bool primary_answers = false;
    Lsn primary_at = 0;                  // the primary's position in its newest answer
    std::int64_t primary_asked_ms = 0;   // when the probe that got this answer was sent
    Lsn furthest = 0;                    // the highest position of any server on the timeline
    std::int64_t everyone_asked_ms = 0;  // the newest finished probe of every server was sent at this time or later
    WalLayout wal = {};                  // of the primary
};

class Fences {
public:
    struct Meaning {
        Fence fence;  // its kind is `unclear` as long as the position can't be judged
        bool replaced = false;  // the fence is the replacement of an impossible position
    };

    // The fence for the position `text`. `ours`: the position's name is that of this database or of one of its servers. If
    // the position is found to be impossible, adds a message to `changes`, once.
    Meaning of(std::string_view text, bool ours, const Horizon& horizon, std::int64_t now_ms,
               std::vector<Change>& changes);

    // Number of impossible positions so far, without those on former timelines of this cluster.
    std::uint64_t refused() const { return refused_; }

private:
    struct Met {
        std::int64_t first_ms = 0;
        std::optional<Lsn> stands_for;  // the replacement, once judged impossible
    };

    Met& meet(std::string_view text, std::int64_t now_ms);
    void forget_other_timelines(const Horizon& horizon);

    std::map<std::string, Met, std::less<>> met_;  // positions that are, or seemed, impossible; the newest most_met
    std::uint64_t system_ = 0;                     // the cluster and ...
    std::uint32_t timeline_ = 0;                   // ... the timeline that they were judged by
    std::uint64_t refused_ = 0;
};

}  // namespace larder::replicas
