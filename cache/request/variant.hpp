// The variant: the request in canonical form. It is all that the backend sees of a request that may be answered from
// cache, and all that the key depends on.
//
// Encoding (version 3), little-endian, at most max_variant_bytes:
//   u8 version | text16 method, scheme, host, path, query, led, site
//   u8 n, n * (text16 name, text16 value, u8 kind): kept cookies, sorted by name
//   u8 n, n * (text16 name, text16 value): kept headers, lower-case names, sorted
//
// Each part is preceded by its length, so different requests never have the same encoding. A header that the client
// did not send is left out; one that was sent empty has an empty value. Both count as absent for cookies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder {

inline constexpr std::size_t max_variant_bytes = 16384;
inline constexpr std::size_t max_variant_pairs = 64;  // of cookies, and again of headers
// Variants of other versions are not accepted. Entries for them are not found any more, and expire.
inline constexpr std::uint8_t variant_version = 3;

// A kept header that clients can't send: the group of the visitor's session, as the site states it.
inline constexpr std::string_view group_field = "larder-group";

// A kept header whose value is always empty: the request had credentials, which are in no key (larder_authorization).
inline constexpr std::string_view authorization_field = "authorization";

struct NamedValue {
    std::string_view name;
    std::string_view value;

    bool operator==(const NamedValue&) const = default;
};

enum class CookieKind : std::uint8_t {
    plain,     // the backend gets the value
    digest,    // the value is a keyed digest: only the person's own request has what the backend gets
    verified,  // the backend gets the value with a new signature
};

struct KeptCookie {
    std::string_view name;
    std::string_view value;
    CookieKind kind = CookieKind::plain;

    bool operator==(const KeptCookie&) const = default;
};

// A decoded variant. All views refer to the bytes that it was parsed from, or to what the builder was given.
struct Variant {
    std::string_view method;  // "GET", also for HEAD, which is answered from GET's entry
    std::string_view scheme;  // "http" or "https"
    std::string_view host;    // lower case, with ":port" unless that is the scheme's default
    std::string_view path;    // as the client sent it, normalised (url.hpp)
    std::string_view query;   // the same, by larder_query; without '?'; may be empty
    // Where the configuration has led the request before the lookup (rewrite, try_files, index, error_page), as
    // "/path" or "/path?query". Empty: where the path leads by itself. A prefix names the place if the URI does not
    // identify it: "@NAME", escaped, for a named location; "#N" for the Nth conditional block of a location (if,
    // limit_except).
    std::string_view led = {};
    // Tells apart sites with the same host name: nginx's server blocks on different ports or addresses. Empty if the
    // host suffices. It is no part of the URL, so purging the URL purges the pages of all these sites.
    std::string_view site = {};
    std::vector<KeptCookie> cookies;
    std::vector<NamedValue> headers;

    // nullopt, and the reason in *why, unless the bytes are exactly one well-formed variant.
    static std::optional<Variant> parse(std::string_view bytes, const char** why);

    // Precondition: the variant is within the limits above, and its cookies and headers are sorted.
    std::string encode() const;

    // "scheme://host/path?query"
    std::string url() const;
    // "/path?query": the request target for the backend (RFC 9112 section 3.2.1).
    std::string target() const;
    // The request target for larderd, which asks a backend without nginx's configuration: the URI at which nginx
    // arrived.
    std::string led_target() const;
    // Whether a condition of the configuration chose the place. Then only nginx can evaluate it, with the request at
    // hand.
    bool led_by_condition() const;
    // Whether only nginx, with the visitor's request at hand, can ask the backend: the variant has a digest, or tells
    // of credentials.
    bool needs_visitor() const;
    // The Cookie field for the backend (RFC 6265 section 5.4), "a=1; b=2"; empty if no cookie is kept. `sign` adds
    // the signature to a verified cookie's value. Precondition: no personal cookies.
    std::string cookie_field(const std::function<std::string(std::string_view)>& sign) const;
};

// The variant of the part that the page with the encoded variant `page` names `target` ("/path?query"). It is the
// page's variant with another target, and with a method that no request has, so that a part is never taken for a
// page. Empty if `target` is invalid.
std::string part_variant(std::string_view page, std::string_view target);

// Encodes a variant into a buffer of fixed size without allocating. Used once per request on the hit path.
class VariantWriter {
public:
    VariantWriter(char* buffer, std::size_t size) : begin_(buffer), at_(buffer), end_(buffer + size) {}

    void start(std::string_view method, std::string_view scheme, std::string_view host, std::string_view path,
               std::string_view query, std::string_view led, std::string_view site);
    void start_pairs();  // call it before the cookies and again before the headers, even if there are none
    void cookie(const KeptCookie& cookie);
    void header(std::string_view name, std::string_view value);

    // The encoded bytes. nullopt if a limit was exceeded: such a request is not cacheable.
    std::optional<std::string_view> finish() const;

private:
    bool counted();
    void text(std::string_view value);
    void byte(std::uint8_t value);

    char* begin_;
    char* at_;
    char* end_;
    char* count_at_ = nullptr;
    bool overflow_ = false;
};

}  // namespace larder
