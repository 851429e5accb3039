// Resolves and checks the URL of an include.
//
// The check comes after variables were expanded, as only then the destination is known. Resolution follows RFC 3986
// section 5.2, and the result is normalised (cache/request/url.hpp). An include must lead to the page's own host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace larder::esi {

enum class UrlRefusal : std::uint8_t {
    none,
    empty,
    too_long,           // over max_include_url bytes
    control_character,  // 0x7f or below 0x21, which includes CR, LF and space
    not_ascii,          // such bytes must be percent-encoded
    backslash,          // some servers treat it as a slash
    bad_escape,         // a '%' without two hexadecimal digits, or "%00"
    userinfo,           // user:password@
    scheme,             // other than http and https
    bad_host,           // empty, or with illegal characters
    foreign_host,       // not the page's host
};

// A short text for logs, e.g. "has a backslash".
const char* to_text(UrlRefusal refusal);

inline constexpr std::size_t max_include_url = 8192;

struct PageUrl {
    std::string_view scheme;  // http or https
    std::string_view host;    // with port, if any
    std::string_view path;    // begins with '/'; its query, if any, is ignored
};

struct IncludeUrl {
    UrlRefusal refusal = UrlRefusal::none;
    std::string target;  // normalised path and query, beginning with '/'; empty if refused

    bool ok() const { return refusal == UrlRefusal::none; }
};

// Resolves `url` relative to the page.
IncludeUrl resolve_include_url(std::string_view url, const PageUrl& page);

// The URL for a log line: without userinfo, values of the query replaced by "*", unprintable bytes by "?", at most 200 bytes.
std::string redact_url(std::string_view url);

}  // namespace larder::esi
