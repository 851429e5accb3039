// The one normal form of URLs: RFC 3986 section 6.2.2, and no further. Keys, requests to the backend, purges, invalidation and whatever
// else compares URLs go through it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace larder {

// HOST[:PORT] in lower case, without the final dot of a DNS name, without an empty port or the default port of `scheme` ("http",
// "https"), other ports without leading zeros. It is `authority` itself where that is normal already, otherwise in `storage`.
//
// Percent-encoded octets of a host stay as they are: nginx and Host-based routing look at the host undecoded, so that another
// spelling is another site there. The same goes for what is no port.
std::string_view normalise_authority(std::string_view authority, std::string_view scheme,
                                     std::string& storage);

// The port that an authority names; empty where it names none.
std::string_view port_of(std::string_view authority);

// A path or query with its escapes in upper case, without escapes of letters, digits and "-._~", and with escapes of what no URI
// may hold (RFC 3986 appendix A). Escapes of reserved characters stay, and so does a '%' without two digits. It is `text` itself
// where nothing has to change, otherwise in `storage`.
std::string_view normalise_escapes(std::string_view text, std::string& storage);

// The same, and without dot segments (section 5.2.4). "/" for an empty path.
std::string_view normalise_path(std::string_view path, std::string& storage);

// A request target in origin form, as it was sent: no fragment belongs to it.
struct Target {
    std::string_view path, query;  // without the '?'
};
Target split_target(std::string_view target);

// An absolute URL of scheme http or https, each part in normal form.
struct Url {
    std::string scheme, authority, path, query;

    std::string target() const;  // "/path?query"
    std::string text() const;

    bool operator==(const Url&) const = default;
};

// The scheme of a reference, as it is written; empty where it has none.
std::string_view scheme_of(std::string_view reference);

// Nothing for what is no such URL: another scheme, no host, a user name, a control character. A fragment is left out.
std::optional<Url> parse_url(std::string_view text);

// What a reference in a document at `base` leads to (RFC 3986 section 5.2). Nothing as above.
std::optional<Url> resolve_url(std::string_view reference, const Url& base);

}  // namespace larder
