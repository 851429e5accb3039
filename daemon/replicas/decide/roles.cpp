// Decides each server's role from what all servers say.
#include "daemon/replicas/decide/roles.hpp"

#include <algorithm>

namespace larder::replicas {

namespace {

class Court {
public:
    Court(std::span<const Observation* const> seen, std::span<const std::string> aliases, const Trust& before)
        : seen_(seen), aliases_(aliases) {
        judgement_.roles.assign(seen.size(), Role::unknown);
        judgement_.trust = before;
    }

    Judgement judge() {
        recognise_cluster();
        for (std::size_t i = 0; i < seen_.size(); i++) {
            if (seen_[i] == nullptr) continue;
            if (seen_[i]->system != trust().system) {
                quarantine(i, "belongs to another cluster: its system identifier is " +
                                  std::to_string(seen_[i]->system) + ", the others' " +
                                  std::to_string(trust().system));
            } else if (seen_[i]->in_recovery) {
                judgement_.roles[i] = Role::replica;
            }
        }
        elect();
        judge_rivals();
        return std::move(judgement_);
    }

private:
    Trust& trust() { return judgement_.trust; }

    void quarantine(std::size_t i, const std::string& sentence) {
        judgement_.roles[i] = Role::quarantined;
        judgement_.alarms.push_back(aliases_[i] + " " + sentence);
    }

    // If no server belongs to the trusted cluster any more, the cluster was rebuilt: trust the new one.
    void recognise_cluster() {
        const Observation* first = nullptr;
        for (const Observation* node : seen_) {
            if (node == nullptr) continue;
            if (node->system == trust().system) return;
            if (first == nullptr) first = node;
        }
        if (first != nullptr) trust() = {.system = first->system};
    }

    bool claims_primary(std::size_t i) const {
        return seen_[i] != nullptr && !seen_[i]->in_recovery && judgement_.roles[i] != Role::quarantined;
    }

    void elect() {
        int best = -1;
        for (std::size_t i = 0; i < seen_.size(); i++) {
            if (!claims_primary(i) || seen_[i]->timeline < trust().timeline) continue;
            int candidate = static_cast<int>(i);
            if (best < 0 || seen_[i]->timeline > at(best).timeline ||
                (seen_[i]->timeline == at(best).timeline && candidate == trust().primary)) {
                best = candidate;
            }
        }
        if (best < 0) return;
        // If several aliases lead to this server, take the first in the settings.
        for (int i = 0; i < best; i++) {
            if (claims_primary(static_cast<std::size_t>(i)) && same_server(at(i), at(best))) {
                best = i;
                break;
            }
        }
        trust().primary = best;
        trust().timeline = at(best).timeline;
        elected_ = best;
    }

    void judge_rivals() {
        for (std::size_t i = 0; i < seen_.size(); i++) {
            if (!claims_primary(i)) continue;
            if (elected_ < 0) {
                quarantine(i, "takes writes on timeline " + std::to_string(seen_[i]->timeline) +
                                  ", but a primary has been on timeline " + std::to_string(trust().timeline));
            } else if (same_server(*seen_[i], at(elected_))) {
                judgement_.roles[i] = Role::primary;
            } else {
                quarantine(i, "takes writes on timeline " + std::to_string(seen_[i]->timeline) + " while " +
                                  aliases_[static_cast<std::size_t>(elected_)] + " does on timeline " +
                                  std::to_string(at(elected_).timeline) + ": split brain");
            }
        }
    }

    const Observation& at(int i) const { return *seen_[static_cast<std::size_t>(i)]; }

    static bool same_server(const Observation& a, const Observation& b) {
        return a.instance == b.instance && a.timeline == b.timeline;
    }

    std::span<const Observation* const> seen_;
    std::span<const std::string> aliases_;
    Judgement judgement_;
    int elected_ = -1;
};

}  // namespace

Judgement judge_roles(std::span<const Observation* const> seen, std::span<const std::string> aliases,
                      const Trust& before) {
    return Court(seen, aliases, before).judge();
}

}  // namespace larder::replicas
