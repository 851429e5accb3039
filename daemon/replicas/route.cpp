// The route header's value.
#include "daemon/replicas/chooser.hpp"
#include "cache/position.hpp"

namespace larder::replicas {

namespace {

// Percent-encodes all bytes but printable ASCII: the site would decode others by a charset that we don't know, and the
// signature would not match.
std::string printable(std::string_view path) {
    std::string out;
    for (unsigned char c : path) {
        if (c > 0x20 && c < 0x7f) {
            out.push_back(static_cast<char>(c));
            continue;
        }
        out.append({'%', "0123456789ABCDEF"[c >> 4u], "0123456789ABCDEF"[c & 15u]});
    }
    return out;
}

}  // namespace

std::string route_value(std::string_view alias, std::string_view position, std::string_view path,
                        std::int64_t deadline_unix_ms) {
    std::string value = "alias=";
    value.append(alias).append(";fence=");
    if (parse_position(position)) value.append(position);
    value.append(";fragment=")
        .append(printable(path))
        .append(";deadline=")
        .append(std::to_string(deadline_unix_ms));
    return value;
}

}  // namespace larder::replicas
