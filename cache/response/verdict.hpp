// The verdict: may this entry be served now? Numbers in, decision out; no clock, no I/O.
#pragma once

#include <algorithm>
#include <cstdint>

namespace larder {

// Instants that bytes from outside may name: 1970 to about the year 12,000, so that a few of them add up without overflow.
inline constexpr std::int64_t max_instant_ms = 10000LL * 366 * 86400 * 1000;
inline bool is_instant(std::int64_t ms) {
    return ms >= 0 && ms < max_instant_ms;
}

// All times are milliseconds; instants are Unix time.
struct Lifetime {
    std::int64_t base_ms =
        0;  // when the backend generated the answer: receipt less its Age (RFC 9111 section 4.2.3)
    std::int64_t fresh_ms = 0;  // freshness lifetime (RFC 9111 section 4.2.1)
    std::int64_t while_ms =
        0;  // servable this long after it went stale, while a newer one is made (RFC 5861 section 3)
    std::int64_t error_ms =
        0;  // servable this long after it went stale when the backend fails (RFC 5861 section 4)
    std::int64_t keep_ms = 0;  // ... and good this long to ask the backend whether it has changed

    std::int64_t dead_at_ms() const { return base_ms + fresh_ms + std::max({while_ms, error_ms, keep_ms}); }
};

enum class Verdict : std::uint8_t {
    fresh,
    stale_while,  // serve it at once, have a newer one made
    stale_error,  // ask the backend first; serve it if that fails
    validate,     // ask the backend whether it is still good; serve it only if the backend says so
    dead,
};

enum class PurgeMode : std::uint8_t { none, soft, hard };

// A purge that this entry's render did not see, if any.
struct PurgeMark {
    PurgeMode mode = PurgeMode::none;
    std::int64_t at_ms = 0;
};

// A soft purge ends freshness at the moment of the purge, and now if the clock that timed it is ahead; a hard one makes the entry
// dead.
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
