// Parses "name=value&name=value".
#include "query.hpp"

#include <algorithm>
#include <charconv>

namespace larder::daemon {

namespace {

std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i++) {
        unsigned char byte = 0;
        std::string_view digits = text.substr(i + 1, 2);
        bool escape = text[i] == '%' && digits.size() == 2 &&
                      std::from_chars(digits.data(), digits.data() + 2, byte, 16).ptr == digits.data() + 2;
        if (escape) i += 2;
        out.push_back(escape ? static_cast<char>(byte) : text[i] == '+' ? ' ' : text[i]);
    }
    return out;
}

}  // namespace

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        std::string_view part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), part.size() + 1));
        std::size_t equals = std::min(part.find('='), part.size());
        if (decoded(part.substr(0, equals)) == name)
            return decoded(part.substr(std::min(part.size(), equals + 1)));
    }
    return std::nullopt;
}

}  // namespace larder::daemon
