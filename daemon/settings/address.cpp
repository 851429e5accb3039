// Parses addresses.
#include "address.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "cache/request/url.hpp"
#include "cache/wire/store_url.hpp"

namespace larder::daemon {

namespace {

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

template <typename Integer>
std::optional<Integer> number(std::string_view text) {
    Integer value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_host(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
    });
}

// HOST[:PORT] or [IPV6][:PORT].
std::optional<HostPort> parse_host_port(std::string_view text, std::optional<std::uint16_t> default_port) {
    std::string_view host = text, port;
    if (take_prefix(text, "[")) {
        std::size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        host = text.substr(0, end);
        port = text.substr(end + 1);
        if (!port.empty() && port.front() != ':') return std::nullopt;
    } else if (std::size_t colon = text.find(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon);
        if (port.find(':', 1) != std::string_view::npos) return std::nullopt;
    }
    if (!is_host(host)) return std::nullopt;
    if (port.empty()) {
        if (!default_port) return std::nullopt;
        return HostPort{std::string(host), *default_port};
    }
    auto value = number<std::uint16_t>(port.substr(1));
    if (!value) return std::nullopt;
    return HostPort{std::string(host), *value};
}

std::optional<std::string> parse_unix(std::string_view text) {
    if (!take_prefix(text, "unix:") || text.empty() || text.front() != '/' || text.size() >= max_socket_path)
        return std::nullopt;
    return std::string(text);
}

}  // namespace

std::string Endpoint::text() const {
    if (is_unix()) return "unix:" + path;
    bool literal = tcp.host.find(':') != std::string::npos;
    return (literal ? "[" + tcp.host + "]" : tcp.host) + ":" + std::to_string(tcp.port);
}

std::optional<Endpoint> parse_listen_address(std::string_view text) {
    if (auto path = parse_unix(text)) return Endpoint{{}, *path};
    auto tcp = parse_host_port(text, std::nullopt);
    return tcp ? std::optional(Endpoint{*tcp, {}}) : std::nullopt;
}

std::optional<RedisAddress> parse_redis_url(std::string_view text) {
    std::string why;
    auto url = parse_store_url(text, why);
    if (!url || url->kind == StoreUrl::Kind::memcached) return std::nullopt;
    RedisAddress address;
    address.at.path = url->path;
    if (!url->servers.empty()) address.at.tcp = {url->servers[0].host, url->servers[0].port};
    address.user = url->user;
    address.password = url->password;
    address.database = static_cast<int>(url->database);
    return address;
}

std::optional<std::vector<HostPort>> parse_memcached_url(std::string_view text) {
    std::string why;
    auto url = parse_store_url(text, why);
    if (!url || url->kind != StoreUrl::Kind::memcached) return std::nullopt;
    std::vector<HostPort> servers;
    for (const StoreUrl::Server& server : url->servers) servers.push_back({server.host, server.port});
    return servers;
}

std::optional<BackendAddress> parse_backend_url(std::string_view text) {
    if (auto path = parse_unix(text)) return BackendAddress{"http://localhost", *path};
    std::string_view rest = text;
    bool tls = take_prefix(rest, "https://");
    if (!tls && !take_prefix(rest, "http://")) return std::nullopt;
    if (rest.ends_with('/')) rest.remove_suffix(1);
    auto server = parse_host_port(rest, tls ? 443 : 80);
    if (!server) return std::nullopt;
    return BackendAddress{(tls ? "https://" : "http://") + Endpoint{*server, {}}.text(), {}};
}

std::optional<PageAddress> parse_page_url(std::string_view text) {
    auto url = parse_url(text);
    if (!url) return std::nullopt;
    return PageAddress{std::move(url->scheme), std::move(url->authority), std::move(url->path),
                       std::move(url->query)};
}

}  // namespace larder::daemon
