// Lists with weights, as in Accept-Language and Accept-Encoding (RFC 9110 section 12.4.2).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "cache/response/fields.hpp"

namespace larder {

// A qvalue in thousandths, 0 to 1000: "0.8" is 800. nullopt if malformed.
constexpr std::optional<int> parse_quality(std::string_view text) {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
    int quality = (text[0] - '0') * 1000;
    if (text.size() > 1 && text[1] != '.') return std::nullopt;
    for (std::size_t i = 2, scale = 100; i < text.size(); i++, scale /= 10) {
        if (text[i] < '0' || text[i] > '9') return std::nullopt;
        quality += (text[i] - '0') * static_cast<int>(scale);
    }
    return quality <= 1000 ? std::optional(quality) : std::nullopt;
}

// Calls f(element, quality) for each of the first 32 elements of the list, except malformed ones. The weight may be
// the only parameter; without one the quality is 1000.
template <typename F>
void each_weighted(std::string_view list, F&& f) {
    std::size_t seen = 0;
    each_list_element(list, [&](std::string_view element) {
        if (++seen > 32) return;
        auto semicolon = element.find(';');
        std::string_view name = trim_ows(element.substr(0, semicolon));
        std::optional<int> quality = 1000;
        if (semicolon != std::string_view::npos) {
            std::string_view weight = trim_ows(element.substr(semicolon + 1));
            bool is_weight = weight.size() > 2 && (weight[0] == 'q' || weight[0] == 'Q') && weight[1] == '=';
            quality = is_weight ? parse_quality(weight.substr(2)) : std::nullopt;
        }
        if (!name.empty() && quality) f(name, *quality);
    });
}

}  // namespace larder
