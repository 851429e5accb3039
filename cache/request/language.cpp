// RFC 4647 lookup over an Accept-Language field.
#include "cache/request/language.hpp"

#include <algorithm>

#include "cache/request/quality.hpp"
#include "cache/response/fields.hpp"

namespace larder {

namespace {

const std::string* supported_tag(std::string_view range, std::span<const std::string> supported) {
    while (!range.empty()) {
        auto found = std::find_if(supported.begin(), supported.end(),
                                  [range](const std::string& tag) { return equals_ignore_case(tag, range); });
        if (found != supported.end()) return &*found;
        auto dash = range.rfind('-');
        if (dash == std::string_view::npos) return nullptr;
        range = range.substr(0, dash);
        // A subtag of one character belongs to the one after it, so remove both (RFC 4647 section 3.4).
        if (range.size() > 2 && range[range.size() - 2] == '-') range.remove_suffix(2);
    }
    return nullptr;
}

}  // namespace

std::string_view choose_language(std::string_view accept_language, std::span<const std::string> supported) {
    const std::string* best = nullptr;
    int best_quality = 0;
    each_weighted(accept_language, [&](std::string_view range, int quality) {
        if (quality <= best_quality) return;
        if (const std::string* tag = supported_tag(range, supported)) {
            best = tag;
            best_quality = quality;
        }
    });
    return best != nullptr ? *best : supported.front();
}

}  // namespace larder
