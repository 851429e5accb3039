// Computes Cache-Control of a page assembled from parts: caches behind us may keep the page no longer, and show it to
// no more people, than every part allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/response/fields.hpp"

namespace larder {

class PartsControl {
public:
    // Adds a part: its own Cache-Control, its age, and how long it remains fresh here (seconds). A part without
    // max-age limits the page by the latter.
    void add(const CacheDirectives& said, std::int64_t age_s, std::int64_t fresh_left_s);
    // A part, or the page itself, is for one visitor only.
    void add_private() { private_ = true; }
    // The page, or a part of it, is older than a purge of it. Caches behind us, which the purge does not reach, may
    // keep it for `bound_s` more seconds.
    void add_purged(std::int64_t bound_s);
    // A part is unknown when the header is sent: it may be private or short-lived.
    void add_unknown() { private_ = no_cache_ = true; }

    // The value of Cache-Control for a page whose own Cache-Control is `own`. Empty: the page's own field needs no
    // change.
    std::string value(const CacheDirectives& own, std::int64_t age_s) const;

private:
    std::optional<std::int64_t> left_s_;  // smallest remaining freshness
    bool private_ = false, no_store_ = false, no_cache_ = false, must_revalidate_ = false, purged_ = false;
};

// Whether the response field tells some cache how long to keep the answer: Cache-Control, Expires, and those that
// override them (RFC 9213, Surrogate-Control and others). Compared without case.
bool is_lifetime_field(std::string_view name);

}  // namespace larder
