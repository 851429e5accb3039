// Matches Accept-Encoding against lists of codings.
#include "cache/request/coding.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "cache/request/quality.hpp"
#include "cache/response/fields.hpp"

namespace larder {

namespace {

constexpr std::size_t most_accepted = 12, longest_coding = 32;

std::string_view plain_name(std::string_view coding) {  // RFC 9110 section 8.4.1.3
    return equals_ignore_case(coding, "x-gzip") ? std::string_view("gzip") : coding;
}

bool names(std::string_view coding, std::string_view wanted) {
    return equals_ignore_case(plain_name(coding), plain_name(wanted));
}

bool is_name(std::string_view coding) {
    return !coding.empty() && coding.size() <= longest_coding && std::all_of(coding.begin(), coding.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
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

std::string accepted_codings(std::string_view accept_encoding) {
    std::vector<std::string> codings;
    each_weighted(accept_encoding, [&](std::string_view coding, int quality) {
        if (quality == 0 || !is_name(coding) || equals_ignore_case(coding, "identity")) return;
        codings.push_back(lower_case(plain_name(coding)));
    });
    std::sort(codings.begin(), codings.end());
    codings.erase(std::unique(codings.begin(), codings.end()), codings.end());
    std::string list;
    if (codings.size() > most_accepted) return list;
    for (const std::string& coding : codings) list.append(list.empty() ? "" : ", ").append(coding);
    return list;
}

bool takes_codings(std::string_view accepted, std::string_view content_encoding) {
    bool any = false, all = true;
    each_list_element(content_encoding, [&](std::string_view coding) {
        bool taken = false;
        each_list_element(accepted, [&](std::string_view a) { taken = taken || names(a, coding); });
        any = true;
        all = all && taken;
    });
    return any && all;
}

}  // namespace larder
