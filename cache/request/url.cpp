#include "cache/request/url.hpp"

#include <algorithm>

namespace larder {

namespace {

bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Where the ":PORT" of an authority begins, which may be empty; the authority's length where there is none.
std::size_t port_begin(std::string_view authority) {
    auto colon = authority.rfind(':');
    bool is_port =
        colon != std::string_view::npos &&
        std::all_of(authority.begin() + static_cast<std::ptrdiff_t>(colon) + 1, authority.end(), is_digit);
    // The colons of an IPv6 address are within brackets.
    bool one_colon = colon == authority.find(':') || (colon != 0 && authority[colon - 1] == ']');
    return is_port && one_colon ? colon : authority.size();
}

}  // namespace

std::string_view port_of(std::string_view authority) {
    auto begin = port_begin(authority);
    return authority.substr(std::min(begin + 1, authority.size()));
}

std::string_view normalise_authority(std::string_view authority, std::string_view scheme,
                                     std::string& storage) {
    auto begin = port_begin(authority);
    std::string_view host = authority.substr(0, begin);
    std::string_view port = port_of(authority);
    if (host.size() > 1 && host.back() == '.' && host[host.size() - 2] != '.') host.remove_suffix(1);
    while (port.size() > 1 && port[0] == '0') port.remove_prefix(1);
    if (port == (scheme == "https" ? "443" : "80")) port = {};
    bool has_upper = std::any_of(host.begin(), host.end(), is_upper);
    if (!has_upper && host.size() == begin &&
        host.size() + (port.empty() ? 0 : 1 + port.size()) == authority.size())
        return authority;
    if (!has_upper && port.empty()) return host;
    storage.assign(host);
    std::transform(storage.begin(), storage.end(), storage.begin(),
                   [](char c) { return is_upper(c) ? static_cast<char>(c | 0x20) : c; });
    if (!port.empty()) storage.append(":").append(port);
    return storage;
}

}  // namespace larder
