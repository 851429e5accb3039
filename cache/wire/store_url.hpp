// The URLs of stores and queues, as nginx.conf and larderd.toml have them. Text in, parts out; nothing is resolved here.
//
//   redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
//   redis+unix:[//][[USER]:PASSWORD@]/PATH[?db=DATABASE]
//   memcached://HOST[:PORT][,HOST[:PORT]]...
//   unix:/PATH
// USER, PASSWORD and PATH are percent-decoded: what a URL gives a meaning (@ : / ? # %) has to be written as %40 and so on. A
// host is a name, an IPv4 address, or an IPv6 address in brackets.
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
        socket,  // "unix:": what speaks there, the setting says
    };
    struct Server {
        std::string host;  // without brackets
        std::uint16_t port = 0;

        bool operator==(const Server&) const = default;
    };

    Kind kind = Kind::redis;
    std::vector<Server> servers;  // several: memcached alone
    std::string path;             // of a Unix socket; then there are no servers
    std::string user, password;
    unsigned database = 0;
};

// Nothing: `why` says what is wrong, without the password.
std::optional<StoreUrl> parse_store_url(std::string_view url, std::string& why);

// The URL with "***" in the place of user and password: for logs.
std::string without_login(std::string_view url);

}  // namespace larder
