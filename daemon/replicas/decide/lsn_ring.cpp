// Two binary searches: for the samples that count at a time, and for the replica's place among them.
#include "daemon/replicas/decide/lsn_ring.hpp"

#include <algorithm>

namespace larder::replicas {

const char* to_string(Bound bound) {
    switch (bound) {
        case Bound::unknown:
            return "unknown";
        case Bound::exact:
            return "exact";
        case Bound::at_least:
            return "at_least";
        case Bound::at_most:
            return "at_most";
    }
    return "unknown";
}

void LsnRing::add(std::int64_t now_ms, Lsn lsn) {
    if (lsn == 0) return;
    if (!samples_.empty() && lsn < samples_.back().lsn) clear();
    if (!samples_.empty() && lsn == samples_.back().lsn) {
        samples_.back().last_ms = now_ms;
        return;
    }
    samples_.push_back({now_ms, now_ms, lsn});
    if (samples_.size() > capacity_) samples_.pop_front();
}

Lag LsnRing::lag(Lsn replayed, std::int64_t now_ms) const {
    auto known_end =
        std::upper_bound(samples_.begin(), samples_.end(), now_ms,
                         [](std::int64_t time, const Sample& sample) { return time < sample.first_ms; });
    if (known_end == samples_.begin() || replayed == 0) return {};
    auto beyond = std::upper_bound(samples_.begin(), known_end, replayed,
                                   [](Lsn lsn, const Sample& sample) { return lsn < sample.lsn; });
    if (beyond == samples_.begin()) return {now_ms - samples_.front().first_ms, Bound::at_least};
    std::int64_t age_ms = now_ms - std::min(now_ms, std::prev(beyond)->last_ms);
    if (beyond != known_end) return {age_ms, Bound::exact};
    if (age_ms > silent_ms_) return {age_ms, Bound::at_most};
    return {0, Bound::exact};
}

}  // namespace larder::replicas
