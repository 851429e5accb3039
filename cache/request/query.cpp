// Applies the rules for query parameters.
#include "cache/request/query.hpp"

#include <algorithm>
#include <array>

#include "cache/request/url.hpp"

namespace larder {

namespace {

bool name_matches(std::string_view name, std::string_view pattern) {
    if (!pattern.empty() && pattern.back() == '*') {
        pattern.remove_suffix(1);
        return name.substr(0, pattern.size()) == pattern;
    }
    return name == pattern;
}

std::string_view name_of(std::string_view parameter) {
    return parameter.substr(0, parameter.find('='));
}

}  // namespace

std::string_view normalise_query(const QueryRule& rule, std::string_view query, std::string& storage) {
    if (rule.kind == QueryRule::Kind::none || query.empty()) return {};
    if (rule.kind == QueryRule::Kind::verbatim && !rule.sort) return normalise_escapes(query, storage);
    std::string escapes;
    query = normalise_escapes(query, escapes);
    std::vector<std::string_view> kept;
    for (std::size_t at = 0; at <= query.size();) {
        std::size_t end = std::min(query.find('&', at), query.size());
        std::string_view parameter = query.substr(at, end - at);
        at = end + 1;
        if (parameter.empty()) continue;
        bool named = std::any_of(
            rule.names.begin(), rule.names.end(),
            [parameter](const std::string& pattern) { return name_matches(name_of(parameter), pattern); });
        if (rule.kind == QueryRule::Kind::verbatim || named == (rule.kind == QueryRule::Kind::keep))
            kept.push_back(parameter);
    }
    // Stable, as the order of parameters of the same name matters to many backends.
    if (rule.sort) {
        std::stable_sort(kept.begin(), kept.end(),
                         [](std::string_view a, std::string_view b) { return name_of(a) < name_of(b); });
    }
    storage.clear();
    for (std::string_view parameter : kept) {
        if (!storage.empty()) storage.push_back('&');
        storage.append(parameter);
    }
    return storage;
}

std::span<const std::string_view> marketing_parameters() {
    static constexpr std::array<std::string_view, 24> names{
        "utm_*",  "gclid",  "gclsrc",  "gbraid", "wbraid", "dclid",     "gad_source", "srsltid",
        "fbclid", "igshid", "msclkid", "ttclid", "twclid", "li_fat_id", "yclid",      "ymclid",
        "mc_cid", "mc_eid", "_ga",     "_gl",    "_hsenc", "_hsmi",     "mkt_tok",    "epik"};
    return names;
}

}  // namespace larder
