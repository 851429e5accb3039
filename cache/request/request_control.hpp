// The client's Cache-Control (RFC 9111 section 5.2.1), as far as the operator honours it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cache/response/verdict.hpp"

namespace larder {

// Bits for a set of directives.
enum RequestDirective : std::uint8_t {
    request_max_age = 1,
    request_max_stale = 2,
    request_min_fresh = 4,
    request_no_cache = 8,
    request_no_store = 16,
    request_only_if_cached = 32,
};
inline constexpr std::uint8_t all_request_directives = 63;

// The directive of this lower-case name; nullopt if there is none.
std::optional<RequestDirective> request_directive(std::string_view name);

struct RequestControl {
    std::optional<std::int64_t> max_age, max_stale, min_fresh;  // seconds
    bool no_cache = false, no_store = false, only_if_cached = false;

    // Whether any directive can change a verdict.
    bool judges() const { return no_cache || max_age || max_stale || min_fresh; }
};

// Adds those directives of one field line that are in the set `honoured`. Of duplicates the first counts. Unknown
// directives, and ones with a malformed argument, are ignored.
void add_request_control(std::string_view field, std::uint8_t honoured, RequestControl& into);

// Changes a verdict by the client's directives. An entry that is not new enough for the client becomes stale_error:
// it is served only if the backend fails. An entry that the client accepts stale becomes stale_while. `created_ms`:
// when the entry's render began; `arrived_ms`: when this request arrived. An entry made since then satisfies any
// client, so that many concurrent requests cause one render.
Verdict as_client_wants(Verdict verdict, const RequestControl& control, const Lifetime& life,
                        std::int64_t created_ms, std::int64_t arrived_ms, std::int64_t now_ms);

}  // namespace larder
