// Cache-Control of a page that is put together from parts: nobody behind us may keep the page for longer, or show it to more
// people, than every part allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/response/fields.hpp"

namespace larder {

class PartsControl {
public:
    // A part as it was sent or stored: what its own Cache-Control says, how old it is, and how long it is still fresh here. A
    // part that says no max-age counts as good for as long as it is fresh here.
    void add(const CacheDirectives& said, std::int64_t age_s, std::int64_t fresh_left_s);
    // A part, or something in the page itself, is one visitor's own.
    void add_private() { private_ = true; }
    // The page, or a part of it, is older than a purge of it: a cache behind us may keep it for `bound_s` more seconds, as no purge
    // reaches it there.
    void add_purged(std::int64_t bound_s);
    // A part that is not there yet when the header leaves: it may turn out to be anything.
    void add_unknown() { private_ = no_cache_ = true; }

    // The field's value for a page of this age whose own Cache-Control says `own`. Empty: as the page itself has it.
    std::string value(const CacheDirectives& own, std::int64_t age_s) const;

private:
    std::optional<std::int64_t> left_s_;  // the least
    bool private_ = false, no_store_ = false, no_cache_ = false, must_revalidate_ = false, purged_ = false;
};

// Whether this response field tells some cache how long to keep the answer: Cache-Control, Expires, and what overrules them
// for one cache or another (RFC 9213, Surrogate-Control and its kin). Name in any case.
bool is_lifetime_field(std::string_view name);

}  // namespace larder
