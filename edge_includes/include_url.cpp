// Bytes are checked first, so that the parser in cache/request/url.hpp only sees plain ASCII.
#include "edge_includes/include_url.hpp"

#include "cache/request/url.hpp"
#include "edge_includes/text.hpp"

namespace larder::esi {

namespace {

UrlRefusal check_bytes(std::string_view url) {
    if (url.empty()) return UrlRefusal::empty;
    if (url.size() > max_include_url) return UrlRefusal::too_long;
    for (std::size_t i = 0; i < url.size(); ++i) {
        auto byte = static_cast<unsigned char>(url[i]);
        if (byte < 0x21 || byte == 0x7f) return UrlRefusal::control_character;
        if (byte >= 0x80) return UrlRefusal::not_ascii;
        if (byte == '\\') return UrlRefusal::backslash;
        if (byte != '%') continue;
        bool digits = i + 2 < url.size() && hex_digit(url[i + 1]) >= 0 && hex_digit(url[i + 2]) >= 0;
        if (!digits || url.substr(i, 3) == "%00") return UrlRefusal::bad_escape;
    }
    return UrlRefusal::none;
}

// Why resolve_url() has refused a reference that passed check_bytes().
UrlRefusal refusal_of(std::string_view url) {
    std::string_view scheme = scheme_of(url);
    if (!scheme.empty()) {
        if (!parse_url(std::string(scheme).append("://host"))) return UrlRefusal::scheme;
        url.remove_prefix(scheme.size() + 1);
    }
    if (!url.starts_with("//")) return UrlRefusal::bad_host;
    std::string_view authority = url.substr(2, url.find_first_of("/?", 2) - 2);
    return authority.find('@') != std::string_view::npos ? UrlRefusal::userinfo : UrlRefusal::bad_host;
}

Url base_of(const PageUrl& page) {
    std::string storage;
    Url base;
    base.scheme = page.scheme;
    base.authority = normalise_authority(page.host, page.scheme, storage);
    base.path = normalise_path(page.path.substr(0, page.path.find('?')), storage);
    return base;
}

}  // namespace

const char* to_text(UrlRefusal refusal) {
    switch (refusal) {
        case UrlRefusal::none:
            return "is fine";
        case UrlRefusal::empty:
            return "is empty";
        case UrlRefusal::too_long:
            return "is longer than 8192 bytes";
        case UrlRefusal::control_character:
            return "has a space or control character";
        case UrlRefusal::not_ascii:
            return "has a byte outside ASCII that is not percent-encoded";
        case UrlRefusal::backslash:
            return "has a backslash";
        case UrlRefusal::bad_escape:
            return "has a '%' without two hexadecimal digits, or %00";
        case UrlRefusal::userinfo:
            return "has a user name";
        case UrlRefusal::scheme:
            return "has a scheme other than http and https";
        case UrlRefusal::bad_host:
            return "has no valid host";
        case UrlRefusal::foreign_host:
            return "leads to another host";
    }
    return "is refused";
}

IncludeUrl resolve_include_url(std::string_view url, const PageUrl& page) {
    if (url.size() <= max_include_url && is_plainly_normal(url)) return {UrlRefusal::none, std::string(url)};
    url = url.substr(0, url.find('#'));  // a URL's fragment identifier is not sent to servers
    if (UrlRefusal refusal = check_bytes(url); refusal != UrlRefusal::none) return {refusal, {}};
    Url base = base_of(page);
    auto resolved = resolve_url(url, base);
    if (!resolved) return {refusal_of(url), {}};
    if (resolved->authority != base.authority) return {UrlRefusal::foreign_host, {}};
    return {UrlRefusal::none, resolved->target()};
}

std::string redact_url(std::string_view url) {
    constexpr std::size_t longest = 200;
    std::string out;
    if (std::size_t slashes = url.find("//"); slashes != std::string_view::npos) {
        std::size_t end = std::min(url.find_first_of("/?", slashes + 2), url.size());
        std::size_t at = url.substr(0, end).rfind('@');
        if (at != std::string_view::npos && at > slashes) {
            out = url.substr(0, slashes + 2);
            url.remove_prefix(at + 1);
        }
    }
    bool in_query = false, in_value = false;
    for (char c : url) {
        if (c == '?') in_query = true, in_value = false;
        if (c == '&') in_value = false;
        if (!in_value)
            out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f ? '?' : c;
        if (c == '=' && in_query && !in_value) {
            out += '*';
            in_value = true;
        }
    }
    return out.size() > longest ? out.substr(0, longest - 3) + "..." : out;
}

}  // namespace larder::esi
