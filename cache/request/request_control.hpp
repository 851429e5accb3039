// What a client asks of caches in its Cache-Control field (RFC 9111 section 5.2.1), as far as the operator lets it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cache/response/verdict.hpp"

namespace larder {

// Bits of a set of directives.
enum RequestDirective : std::uint8_t {
    request_max_age = 1,
    request_max_stale = 2,
    request_min_fresh = 4,
    request_no_cache = 8,
    request_no_store = 16,
    request_only_if_cached = 32,
};
inline constexpr std::uint8_t all_request_directives = 63;

// By its name in lower case; nothing for what is none of them.
std::optional<RequestDirective> request_directive(std::string_view name);

struct RequestControl {
    std::optional<std::int64_t> max_age, max_stale, min_fresh;  // seconds
    bool no_cache = false, no_store = false, only_if_cached = false;

    // Whether it may change a verdict.
    bool judges() const { return no_cache || max_age || max_stale || min_fresh; }
};

// Adds the directives of one field line that are in the set `honoured`. The first of duplicates counts; one with a malformed
// argument is ignored, as is what is unknown: no client is better served by a guess.
void add_request_control(std::string_view field, std::uint8_t honoured, RequestControl& into);

// What becomes of a verdict by the client's wish. Without the age it asks for, an entry is served only if the backend fails;
// one that the client takes stale need not wait for the backend. `created_ms`: when the entry's render was asked for;
// `arrived_ms`: when this request came. What was made since is as good as what it could get by asking itself, so that many
// such requests at once make one render.
Verdict as_client_wants(Verdict verdict, const RequestControl& control, const Lifetime& life,
                        std::int64_t created_ms, std::int64_t arrived_ms, std::int64_t now_ms);

}  // namespace larder
