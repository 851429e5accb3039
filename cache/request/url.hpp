// The normal form of URLs: RFC 3986 section 6.2.2, and nothing more. Everything that compares URLs uses it: keys,
// requests to the backend, purges, invalidation.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace larder {

// Normalises HOST[:PORT]: lower case; without the final dot of a DNS name; without an empty port or the default port
// of `scheme` ("http" or "https"); other ports without leading zeros. Returns `authority` itself if it is normal
// already, otherwise a view into `storage`.
//
// Percent-encoded octets of the host stay as they are, as nginx and host-based routing compare the host undecoded:
// another spelling is another site. What is not a port stays as well.
std::string_view normalise_authority(std::string_view authority, std::string_view scheme,
                                     std::string& storage);

// The port in an authority; empty if there is none.
std::string_view port_of(std::string_view authority);

// Normalises the escapes of a path or query: upper-case hex digits; no escapes for letters, digits and "-._~";
// escapes for what a URI must not contain (RFC 3986 appendix A). Escapes of reserved characters stay, and so does a
// '%' without two hex digits. Returns `text` itself if it is normal already, otherwise a view into `storage`.
std::string_view normalise_escapes(std::string_view text, std::string& storage);

// The same, and removes dot segments (RFC 3986 section 5.2.4). "/" for an empty path.
std::string_view normalise_path(std::string_view path, std::string& storage);

// Parts of a request target in origin form, as it was sent. A fragment is dropped.
struct Target {
    std::string_view path, query;  // query: without the '?'
};
Target split_target(std::string_view target);

// Whether `reference` is already what resolve_url() would make of its target, judged by one pass over its bytes: an
// absolute path and query of plain characters, as nearly all includes are. If false, it may be normal nonetheless.
bool is_plainly_normal(std::string_view target);

// An absolute URL of scheme http or https, each part in normal form.
struct Url {
    std::string scheme, authority, path, query;

    std::string target() const;  // "/path?query"
    std::string text() const;

    bool operator==(const Url&) const = default;
};

// The scheme of a reference, as written; empty if it has none.
std::string_view scheme_of(std::string_view reference);

// nullopt for anything but an http or https URL with a host, and for user names and control characters. A fragment is
// dropped.
std::optional<Url> parse_url(std::string_view text);

// Resolves a reference in a document at `base` (RFC 3986 section 5.2). nullopt as for parse_url().
std::optional<Url> resolve_url(std::string_view reference, const Url& base);

}  // namespace larder
