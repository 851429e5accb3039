// Parses the addresses in settings: listeners, Redis, memcached, backends, pages. Resolves no names. Each function returns
// nothing for a malformed text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder::daemon {

inline constexpr std::size_t max_socket_path = 108;  // size of sockaddr_un.sun_path, NUL included

struct HostPort {
    std::string host;  // without the brackets of an IPv6 literal
    std::uint16_t port = 0;

    bool operator==(const HostPort&) const = default;
};

// TCP when path is empty.
struct Endpoint {
    HostPort tcp;
    std::string path;

    bool is_unix() const { return !path.empty(); }
    std::string text() const;
};

struct RedisAddress {
    Endpoint at;
    std::string user;
    std::string password;
    int database = 0;
};

struct BackendAddress {
    std::string origin;       // "http://HOST:PORT" or "https://HOST:PORT"; for a unix socket "http://localhost"
    std::string socket_path;  // empty: TCP
};

// A page's URL, normalised as in a variant (cache/request/variant.hpp): the host is in lower case and without the scheme's
// default port.
struct PageAddress {
    std::string scheme, host, path, query;
};

std::optional<Endpoint> parse_listen_address(std::string_view text);         // HOST:PORT, unix:/PATH
// Store URLs, as in nginx.conf (cache/wire/store_url.hpp), but unix:/PATH is a Redis here.
std::optional<RedisAddress> parse_redis_url(std::string_view text);
std::optional<std::vector<HostPort>> parse_memcached_url(std::string_view text);
std::optional<BackendAddress> parse_backend_url(std::string_view text);  // http(s)://HOST[:PORT], unix:/PATH
std::optional<PageAddress> parse_page_url(std::string_view text);        // http(s)://HOST[:PORT]/PATH[?QUERY]

}  // namespace larder::daemon
