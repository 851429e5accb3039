// The variant: the canonical request. It is all the backend gets to see of a cacheable request, and all the key holds.
//
// Encoded form (version 3), little-endian, at most max_variant_bytes:
//   u8 version | text16 method, scheme, host, path, query, led, site
//   | u8 n, n × (text16 name, text16 value, u8 kind)   kept cookies, in byte order of their names
//   | u8 n, n × (text16 name, text16 value)            kept headers, lower-case names, in byte order
// Every part is framed by its length, so no two different requests share an encoding. A cookie or header that the client
// did not send is left out; one sent empty is there with an empty value (for cookies the normaliser treats both as absent).
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
// Variants of other versions are unknown: what is kept for them is found by nobody and ends with its time.
inline constexpr std::uint8_t variant_version = 3;

// A kept header that no client may send: the group of a session, as the site itself says it.
inline constexpr std::string_view group_field = "larder-group";

// A kept header that is always empty here: the request had credentials, which no key holds (larder_authorization).
inline constexpr std::string_view authorization_field = "authorization";

struct NamedValue {
    std::string_view name;
    std::string_view value;

    bool operator==(const NamedValue&) const = default;
};

enum class CookieKind : std::uint8_t {
    plain,     // the value is what the backend is sent
    digest,    // ... is a keyed digest of it: only the person's own requests can be sent on
    verified,  // ... is sent with a new signature
};

struct KeptCookie {
    std::string_view name;
    std::string_view value;
    CookieKind kind = CookieKind::plain;

    bool operator==(const KeptCookie&) const = default;
};

// A decoded variant. All views point into the bytes it was parsed from (or that the builder was given).
struct Variant {
    std::string_view method;  // "GET": HEAD is answered from GET's entry
    std::string_view scheme;  // "http" or "https"
    std::string_view host;    // lower case; ":port" unless it is the scheme's default
    std::string_view path;    // as the client sent it, normalised (url.hpp)
    std::string_view query;   // the same, by larder_query; without '?'; empty when there is none
    // Where the configuration led the request before the lookup (rewrite, try_files, index, error_page): "/path" or "/path?query".
    // Empty: where the path by itself leads. In front of it, what of the configuration the URI does not tell: "@NAME", escaped,
    // for a named location; "#N" for the Nth block of the location that a condition chooses (if, limit_except).
    std::string_view led = {};
    // Which of several sites of the same name it is, where the name does not tell: nginx's server blocks on other ports or
    // addresses. Empty where the host tells it all. Not a part of the URL: a purge of the URL means the pages of all.
    std::string_view site = {};
    std::vector<KeptCookie> cookies;
    std::vector<NamedValue> headers;

    // Returns nothing, and the reason in *why, for bytes that are not exactly one well-formed variant.
    static std::optional<Variant> parse(std::string_view bytes, const char** why);

    // Precondition: within the limits above. Sorts nothing: cookies and headers must be in byte order already.
    std::string encode() const;

    // "scheme://host/path?query"
    std::string url() const;
    // "/path?query", the request target to send to the backend (RFC 9112 section 3.2.1).
    std::string target() const;
    // ... where the configuration's own way to the backend is not gone: the URI that nginx ended at
    std::string led_target() const;
    // Whether a condition of the configuration chose the place: only nginx, with the request at hand, can tell what for.
    bool led_by_condition() const;
    // Only nginx with a visitor's request at hand can ask the backend for it: it holds a digest, or says that there were credentials.
    bool needs_visitor() const;
    // The Cookie field to send (RFC 6265 section 5.4), "a=1; b=2"; empty when no cookie is kept. `sign` makes the text of
    // a verified cookie from its value. Precondition: not personal.
    std::string cookie_field(const std::function<std::string(std::string_view)>& sign) const;
};

// The variant of the part that a page of the encoded variant `page` names `target` ("/path?query"): the page's with another
// target, and a method that no request has, so that no part ever stands in for a page. Empty for what is no target.
std::string part_variant(std::string_view page, std::string_view target);

// Builds an encoded variant into a fixed buffer without allocating; used once per request on the hit path.
class VariantWriter {
public:
    VariantWriter(char* buffer, std::size_t size) : begin_(buffer), at_(buffer), end_(buffer + size) {}

    void start(std::string_view method, std::string_view scheme, std::string_view host, std::string_view path,
               std::string_view query, std::string_view led, std::string_view site);
    void start_pairs();  // once for the cookies, once for the headers, both always
    void cookie(const KeptCookie& cookie);
    void header(std::string_view name, std::string_view value);

    // The encoded bytes, or nothing when a limit was exceeded: such a request is not cacheable.
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
