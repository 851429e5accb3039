// Judges positions by what the probes have found.
#include "daemon/replicas/decide/fences.hpp"

#include <algorithm>

namespace larder::replicas {

namespace {

constexpr std::size_t most_met = 1024;
constexpr std::size_t longest_position = 63 + 1 + 20 + 1 + 10 + 1 + 16;

// The text with unprintable bytes replaced, for the log: it may be hostile.
std::string shown(std::string_view text) {
    std::string out(text);
    std::replace_if(
        out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
    return out;
}

// Why the cluster can't have a position. A position on a former timeline of the cluster is normal after a promotion: not
// alarming.
struct Fault {
    bool alarming = true;
    std::string text;
};

std::optional<Fault> fault_of(const std::optional<Position>& position, bool ours, const Horizon& horizon) {
    if (!position) return Fault{true, "it is not NAME/SYSTEM/TIMELINE/LSN"};
    if (!ours) return Fault{true, "no database or server has that name"};
    if (position->system != 0 && horizon.system != 0 && position->system != horizon.system)
        return Fault{true, "it is of another cluster, ours is " + std::to_string(horizon.system)};
    if (horizon.timeline == 0) return std::nullopt;
    if (position->timeline > horizon.timeline)
        return Fault{true, "no server is on that timeline, the primary is on " + std::to_string(horizon.timeline)};
    if (position->timeline < horizon.timeline)
        return Fault{false, "the primary is on timeline " + std::to_string(horizon.timeline) + " by now"};
    if (position->lsn > horizon.furthest)
        return Fault{true, "the log ends at " + timeline_and_lsn(horizon.timeline, horizon.primary_at)};
    return std::nullopt;
}

}  // namespace

Fences::Meaning Fences::of(std::string_view text, bool ours, const Horizon& horizon, std::int64_t now_ms,
                           std::vector<Change>& changes) {
    forget_other_timelines(horizon);
    text = text.substr(0, longest_position + 1);  // one byte too many is enough to make it malformed
    auto stands_for = [&](Lsn lsn) { return Meaning{{FenceKind::position, horizon.timeline, lsn}, true}; };
    auto known = met_.find(text);
    if (known != met_.end() && known->second.stands_for) return stands_for(*known->second.stands_for);
    auto position = parse_position(text);
    // The site reports an insert position, probes the end of the last record: convert, as the former may lie behind the
    // latter.
    if (position) position->lsn = end_of_last_record(position->lsn, horizon.wal);
    auto fault = fault_of(position, ours, horizon);
    Meaning as_it_stands;
    if (position)
        as_it_stands.fence = {FenceKind::position, position->timeline, position->lsn};
    if (!fault) {
        if (known != met_.end()) met_.erase(known);
        return as_it_stands;
    }
    bool ahead = position && ours && (position->system == 0 || position->system == horizon.system) &&
                 position->timeline >= horizon.timeline;
    // Without a primary, a position ahead of all servers can't be called impossible: the next primary may have this write.
    if (!horizon.primary_answers) return ahead ? as_it_stands : Meaning{{.kind = FenceKind::unclear}, false};
    Met& met = meet(text, now_ms);
    bool promotion_possible = ahead && position->timeline > horizon.timeline;
    std::int64_t asked_ms = promotion_possible ? std::min(horizon.primary_asked_ms, horizon.everyone_asked_ms)
                                               : horizon.primary_asked_ms;
    if (asked_ms <= met.first_ms) {
        bool same_timeline = ahead && position->timeline == horizon.timeline;
        return same_timeline ? as_it_stands : Meaning{{.kind = FenceKind::unclear}, false};
    }
    met.stands_for = horizon.primary_at;
    if (fault->alarming) refused_++;
    changes.push_back({fault->alarming, "position " + shown(text) + (fault->alarming ? " can't be: " : ": ") + fault->text +
                                            "; it stands for " +
                                            timeline_and_lsn(horizon.timeline, *met.stands_for)});
    return stands_for(*met.stands_for);
}

Fences::Met& Fences::meet(std::string_view text, std::int64_t now_ms) {
    if (auto known = met_.find(text); known != met_.end()) return known->second;
    if (met_.size() >= most_met) {
        met_.erase(std::min_element(met_.begin(), met_.end(), [](const auto& a, const auto& b) {
            return a.second.first_ms < b.second.first_ms;
        }));
    }
    return met_.emplace(text, Met{now_ms, {}}).first->second;
}

void Fences::forget_other_timelines(const Horizon& horizon) {
    if (horizon.system == system_ && horizon.timeline == timeline_) return;
    met_.clear();
    system_ = horizon.system;
    timeline_ = horizon.timeline;
}

}  // namespace larder::replicas
