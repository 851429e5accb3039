// Parses store URLs.
#include "cache/wire/store_url.hpp"

#include <algorithm>
#include <charconv>

namespace larder {

namespace {

constexpr std::uint16_t redis_port = 6379, memcached_port = 11211;
constexpr unsigned max_database = 65535;
constexpr std::size_t max_socket_path = 107;  // size of sockaddr_un.sun_path without its NUL

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

template <typename Integer>
std::optional<Integer> number(std::string_view text, Integer low, Integer high) {
    Integer value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < low || value > high)
        return std::nullopt;
    return value;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string made;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            made.push_back(text[i]);
            continue;
        }
        int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        made.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return made;
}

bool is_host(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
               c == '-' || c == '_';
    });
}

// An IPv6 literal, possibly with a zone ("fe80::1%eth0"). Only its characters are checked; the resolver does the
// rest.
bool is_literal(std::string_view text) {
    std::string_view address = text.substr(0, text.find('%'));
    return std::count(address.begin(), address.end(), ':') >= 2 &&
           std::all_of(address.begin(), address.end(),
                       [](char c) { return hex_digit(c) >= 0 || c == ':' || c == '.'; });
}

class Parser {
public:
    explicit Parser(std::string& why) : why_(why) {}

    std::optional<StoreUrl> parse(std::string_view text) {
        bool visible = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
        if (!visible) return refuse("a character that is none of printable ASCII: write it as %XX");
        if (take_prefix(text, "redis://")) return redis(text);
        if (take_prefix(text, "redis+unix:")) return redis_socket(text);
        if (take_prefix(text, "memcached://")) return memcached(text);
        if (take_prefix(text, "unix:")) {
            url_.kind = StoreUrl::Kind::socket;
            return take_path(text) ? finished() : std::nullopt;
        }
        return refuse("unknown scheme: legal are redis://, redis+unix:, memcached:// and unix:");
    }

private:
    std::optional<StoreUrl> refuse(std::string why) {
        why_ = std::move(why);
        return std::nullopt;
    }
    std::optional<StoreUrl> finished() { return std::move(url_); }

    std::optional<StoreUrl> redis(std::string_view text) {
        if (!take_login(text)) return std::nullopt;
        std::size_t slash = text.find('/');
        if (slash != std::string_view::npos) {
            if (!take_database(text.substr(slash + 1))) return std::nullopt;
            text = text.substr(0, slash);
        }
        return take_server(text, redis_port) ? finished() : std::nullopt;
    }

    std::optional<StoreUrl> redis_socket(std::string_view text) {
        if (text.starts_with("//")) text.remove_prefix(2);
        bool has_login = !text.starts_with('/');  // a path may contain "@"
        if (has_login && !take_login(text)) return std::nullopt;
        std::size_t query = text.find('?');
        if (query != std::string_view::npos) {
            std::string_view database = text.substr(query + 1);
            if (!take_prefix(database, "db="))
                return refuse("unknown parameter after \"?\": legal is db=DATABASE");
            if (!take_database(database)) return std::nullopt;
            text = text.substr(0, query);
        }
        return take_path(text) ? finished() : std::nullopt;
    }

    std::optional<StoreUrl> memcached(std::string_view text) {
        url_.kind = StoreUrl::Kind::memcached;
        for (;;) {
            std::size_t comma = text.find(',');
            if (!take_server(text.substr(0, comma), memcached_port)) return std::nullopt;
            if (comma == std::string_view::npos) return finished();
            text.remove_prefix(comma + 1);
        }
    }

    // Takes "[USER]:PASSWORD@". A password without a colon ("PASSWORD@") is accepted as well.
    bool take_login(std::string_view& text) {
        std::size_t at = text.rfind('@');
        if (at == std::string_view::npos) return true;
        std::string_view login = text.substr(0, at);
        text.remove_prefix(at + 1);
        std::size_t colon = login.find(':');
        auto user = percent_decoded(colon == std::string_view::npos ? "" : login.substr(0, colon));
        auto password = percent_decoded(colon == std::string_view::npos ? login : login.substr(colon + 1));
        if (!user || !password) {
            why_ = "a \"%\" in user or password without two hex digits after it: write \"%\" as %25";
            return false;
        }
        if (password->empty()) {
            why_ = "an empty password";
            return false;
        }
        url_.user = std::move(*user);
        url_.password = std::move(*password);
        return true;
    }

    bool take_database(std::string_view text) {
        auto index = text.empty() ? std::optional(0u) : number(text, 0u, max_database);
        if (!index) why_ = "invalid database \"" + std::string(text) + "\": a number from 0 to 65535";
        url_.database = index.value_or(0);
        return index.has_value();
    }

    bool take_path(std::string_view text) {
        auto path = percent_decoded(text);
        bool legal = path && path->starts_with('/') && path->size() > 1 && path->size() <= max_socket_path &&
                     path->find('\0') == std::string::npos;
        if (!legal)
            why_ = "invalid path of a socket \"" + std::string(text) +
                   "\": absolute, up to 107 bytes, \"%\" written as %25";
        else
            url_.path = std::move(*path);
        return legal;
    }

    // Takes HOST[:PORT] or [IPV6][:PORT].
    bool take_server(std::string_view text, std::uint16_t port) {
        std::string_view whole = text, host, rest;
        bool legal;
        if (take_prefix(text, "[")) {
            std::size_t end = std::min(text.find(']'), text.size());
            host = text.substr(0, end);
            rest = text.substr(std::min(end + 1, text.size()));
            legal = is_literal(host) && end < text.size();
        } else {
            std::size_t colon = std::min(text.find(':'), text.size());
            host = text.substr(0, colon);
            rest = text.substr(colon);
            legal = is_host(host);
        }
        if (!legal) {
            why_ = "invalid host \"" + std::string(whole) + "\": a name, an address, or an IPv6 address in brackets";
            return false;
        }
        if (!rest.empty()) {
            auto given = rest.front() == ':'
                             ? number<std::uint16_t>(rest.substr(1), 1, 65535)
                             : std::nullopt;
            if (!given) {
                why_ = "invalid port in \"" + std::string(whole) + "\": a number from 1 to 65535";
                return false;
            }
            port = *given;
        }
        url_.servers.push_back({std::string(host), port});
        return true;
    }

    std::string& why_;
    StoreUrl url_;
};

}  // namespace

std::optional<StoreUrl> parse_store_url(std::string_view url, std::string& why) {
    return Parser(why).parse(url);
}

std::string without_login(std::string_view url) {
    std::size_t at = url.rfind('@');
    if (at == std::string_view::npos) return std::string(url);
    std::size_t start = url.find("://");
    start = start == std::string_view::npos ? url.find(':') + 1 : start + 3;
    return std::string(url.substr(0, start)) + "***" + std::string(url.substr(at));
}

}  // namespace larder
