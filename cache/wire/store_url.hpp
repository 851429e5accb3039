// URLs of stores and queues, as in nginx.conf and larderd.toml. Only parses; resolves nothing.
//
//   redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
//   redis+unix:[//][[USER]:PASSWORD@]/PATH[?db=DATABASE]
//   memcached://HOST[:PORT][,HOST[:PORT]]...
//   unix:/PATH
//
// USER, PASSWORD and PATH are percent-decoded: characters with a meaning in URLs (@ : / ? # %) have to be written as
// %40 and so on. A host is a name, an IPv4 address, or an IPv6 address in brackets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder {

struct StoreUrl {
    enum class Kind : std::uint8_t {
        redis,
        memcached,
        socket,  // "unix:"; the setting determines the protocol
    };
    struct Server {
        std::string host;  // without brackets
        std::uint16_t port = 0;

        bool operator==(const Server&) const = default;
    };

    Kind kind = Kind::redis;
    std::vector<Server> servers;  // more than one only for memcached
    std::string path;             // of a Unix socket; then `servers` is empty
    std::string user, password;
    unsigned database = 0;
};

// nullopt: `why` says what is wrong, without the password.
std::optional<StoreUrl> parse_store_url(std::string_view url, std::string& why);

// The URL for logs, with "***" in place of user and password.
std::string without_login(std::string_view url);

}  // namespace larder
