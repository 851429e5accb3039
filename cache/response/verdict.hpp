// The verdict: may this entry be served now? A pure function, without clock or I/O.
#pragma once

#include <algorithm>
#include <cstdint>

namespace larder {

// The range of instants that untrusted bytes may contain: from 1970 to about the year 12,000, so that sums of a few
// can't overflow.
inline constexpr std::int64_t max_instant_ms = 10000LL * 366 * 86400 * 1000;
inline bool is_instant(std::int64_t ms) {
    return ms >= 0 && ms < max_instant_ms;
}

// All times are in milliseconds; instants are Unix time.
struct Lifetime {
    std::int64_t base_ms = 0;  // when the backend generated the answer: time of receipt minus age (RFC 9111 section 4.2.3)
    std::int64_t fresh_ms = 0;  // freshness lifetime (RFC 9111 section 4.2.1)
    std::int64_t while_ms = 0;  // may be served stale for this long, while it is regenerated (RFC 5861 section 3)
    std::int64_t error_ms = 0;  // may be served stale for this long if the backend fails (RFC 5861 section 4)
    std::int64_t keep_ms = 0;  // is kept stale for this long, to be revalidated

    std::int64_t dead_at_ms() const { return base_ms + fresh_ms + std::max({while_ms, error_ms, keep_ms}); }
};

enum class Verdict : std::uint8_t {
    fresh,
    stale_while,  // serve it at once, and have it regenerated
    stale_error,  // ask the backend first, and serve it if that fails
    validate,     // ask the backend whether it is valid, and serve it only then
    dead,
};

enum class PurgeMode : std::uint8_t { none, soft, hard };

// The purge that the entry's render did not see, if any.
struct PurgeMark {
    PurgeMode mode = PurgeMode::none;
    std::int64_t at_ms = 0;
};

// A soft purge ends freshness at the time of the purge, or now if that time is in the future (clocks differ). A hard
// purge makes the entry dead.
inline Verdict judge(const Lifetime& life, PurgeMark purge, std::int64_t now_ms) {
    if (purge.mode == PurgeMode::hard) return Verdict::dead;
    std::int64_t stale_at = life.base_ms + life.fresh_ms;
    if (purge.mode == PurgeMode::soft) stale_at = std::min({stale_at, purge.at_ms, now_ms});
    if (now_ms < stale_at) return Verdict::fresh;
    if (now_ms < stale_at + life.while_ms) return Verdict::stale_while;
    if (now_ms < stale_at + life.error_ms) return Verdict::stale_error;
    if (now_ms < stale_at + life.keep_ms) return Verdict::validate;
    return Verdict::dead;
}

}  // namespace larder
