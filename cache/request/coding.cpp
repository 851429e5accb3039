// Accept-Encoding against a list.
#include "cache/request/coding.hpp"

#include <optional>

#include "cache/request/quality.hpp"
#include "cache/response/fields.hpp"

namespace larder {

namespace {

bool names(std::string_view coding, std::string_view wanted) {
    return equals_ignore_case(coding, wanted) || (wanted == "gzip" && equals_ignore_case(coding, "x-gzip"));
}

bool accepts(std::string_view accept_encoding, std::string_view wanted) {
    std::optional<int> own, any;
    each_weighted(accept_encoding, [&](std::string_view coding, int quality) {
        if (names(coding, wanted)) own = own.value_or(quality);
        if (coding == "*") any = any.value_or(quality);
    });
    return own.value_or(any.value_or(0)) > 0;
}

}  // namespace

std::string_view choose_coding(std::string_view accept_encoding, std::span<const std::string> supported) {
    for (const std::string& coding : supported) {
        if (accepts(accept_encoding, coding)) return coding;
    }
    return {};
}

}  // namespace larder
