// Normalises the query, for the key and for the request to the backend.
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
    std::vector<std::string> names;  // keep, drop: exact names, or prefixes followed by '*'
};

// Applies the rule to the query (without '?'), after normalising its escapes. Removes empty parameters, except for
// `verbatim` without `sort`. `sort` sorts by name and keeps the order of parameters of the same name. The result may
// be in `storage`.
std::string_view normalise_query(const QueryRule& rule, std::string_view query, std::string& storage);

// Parameters that advertisers and mailing tools add to links, and no page depends on.
std::span<const std::string_view> marketing_parameters();

}  // namespace larder
