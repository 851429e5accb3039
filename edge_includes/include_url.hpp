// The URL of an include: resolved against the page, checked, and made fit for a log line.
//
// Checked after variables were expanded, as only then is it known where the URL leads. Resolution is RFC 3986 section 5.2, and the
// result is normal (cache/request/url.hpp). An include leads to the page's own host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace larder::esi {

enum class UrlRefusal : std::uint8_t {
    none,
    empty,
    too_long,           // over max_include_url bytes
    control_character,  // below 0x21 or 0x7f: also CR, LF and space
    not_ascii,          // must be percent-encoded
    backslash,          // some servers take it for a slash
    bad_escape,         // a % without two hexadecimal digits, or one that stands for NUL
    userinfo,           // user:password@
    scheme,             // other than http and https
    bad_host,           // empty, or with characters no host has
    foreign_host,       // not the page's host
};

// A short text for logs, e.g. "has a backslash".
const char* to_text(UrlRefusal refusal);

inline constexpr std::size_t max_include_url = 8192;

struct PageUrl {
    std::string_view scheme;  // http or https
    std::string_view host;    // with port, if any
    std::string_view path;    // begins with '/'; a query is left out
};

struct IncludeUrl {
    UrlRefusal refusal = UrlRefusal::none;
    std::string target;  // normal path and query: begins with '/' unless refused

    bool ok() const { return refusal == UrlRefusal::none; }
};

IncludeUrl resolve_include_url(std::string_view url, const PageUrl& page);

// For logs: no userinfo, query values replaced by "*", unprintable bytes by "?", at most 200 bytes.
std::string redact_url(std::string_view url);

}  // namespace larder::esi
