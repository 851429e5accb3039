// The query as the key holds it, and as the backend is sent it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace larder {

struct QueryRule {
    enum class Kind : std::uint8_t { verbatim, keep, drop, none };
    Kind kind = Kind::verbatim;
    bool sort = false;
    std::vector<std::string> names;  // keep, drop: exact, or a prefix followed by '*'
};

// The query (without '?') by the rule, its escapes normalised before names are looked at. Empty parameters go, unless the
// rule is verbatim; `sort` sorts by name and leaves those of one name in their order. In `storage` if it had to be rewritten.
std::string_view normalise_query(const QueryRule& rule, std::string_view query, std::string& storage);

// Parameters that campaigns, advertisers and mailers add to links, and no page depends on.
std::span<const std::string_view> marketing_parameters();

}  // namespace larder
