// What commit positions from outside mean to one cluster.
//
// A position that the cluster can have is a fence as it stands. Any other (of another cluster, of a timeline that the
// cluster has left or never had, beyond the end of its log, or no position at all) stands for all that the primary had
// written when we met it: the write that it tells of came before, so who has replayed that much shows what there is of it.
// Thus no text from outside can hold work up for longer than replication takes, and none makes a fence weaker.
//
// A position that looks impossible may only be newer than our last probe, so it is judged by one that was sent after we met
// it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/replicas/decide/choice.hpp"
#include "daemon/replicas/decide/position.hpp"

namespace larder::replicas {

// Something worth a line in the log.
struct Change {
    bool alarming = false;
    std::string text;
};

// A position that a cluster can't have, and the one that it stands for.
struct Replaced {
    std::string position;
    std::string by;
};

// What the probes have found out, as far as positions are concerned. Times are monotonic, in ms.
struct Horizon {
    std::uint64_t system = 0;    // of the cluster we look after; 0: none seen yet
    std::uint32_t timeline = 0;  // of the primary we trust; 0: none seen yet
    bool primary_answers = false;
    Lsn primary_at = 0;                  // by its newest answer
    std::int64_t primary_asked_ms = 0;   // when that was asked for
    Lsn furthest = 0;                    // that any server of the timeline was seen at
    std::int64_t everyone_asked_ms = 0;  // all servers were probed at this time or later
    WalLayout wal = {};                  // of the primary
};

class Fences {
public:
    struct Meaning {
        Fence fence;  // of kind unclear while the position can't be judged yet
        bool replaced = false;  // the fence is not the position, but what it stands for
    };

    // `ours`: the position's name is this database's or one of its servers'. Adds to `changes` what was found wrong with it,
    // once.
    Meaning of(std::string_view text, bool ours, const Horizon& horizon, std::int64_t now_ms,
               std::vector<Change>& changes);

    // How many positions this cluster can't have, and never had.
    std::uint64_t refused() const { return refused_; }

private:
    struct Met {
        std::int64_t first_ms = 0;
        std::optional<Lsn> stands_for;  // once judged
    };

    Met& meet(std::string_view text, std::int64_t now_ms);
    void forget_other_timelines(const Horizon& horizon);

    std::map<std::string, Met, std::less<>> met_;  // those that the cluster couldn't have as far as we knew
    std::uint64_t system_ = 0;                     // which they were judged by ...
    std::uint32_t timeline_ = 0;                   // ... and so was this
    std::uint64_t refused_ = 0;
};

}  // namespace larder::replicas
