// The URL of an include: resolved against the page, checked, and made fit for a log line.
#include "edge_includes/include_url.hpp"

#include <algorithm>

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

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

// The scheme before ':', or empty. A ':' behind '/' or '?' is part of a path or query.
std::string_view scheme_of(std::string_view url) {
    std::size_t end = url.find_first_of(":/?");
    return end == std::string_view::npos || url[end] != ':' ? std::string_view{} : url.substr(0, end);
}

// A name or address with an optional port: letters, digits, '.', '-', '_', or [IPv6].
bool is_host(std::string_view host) {
    std::string_view name = host, port;
    if (host.starts_with('[')) {
        std::size_t close = host.find(']');
        if (close == std::string_view::npos) return false;
        name = host.substr(1, close - 1);
        if (name.empty() || name.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos)
            return false;
        host.remove_prefix(close + 1);
        if (host.empty()) return true;
        if (host[0] != ':') return false;
        port = host.substr(1);
    } else {
        std::size_t colon = host.find(':');
        name = host.substr(0, colon);
        if (name.empty()) return false;
        for (char c : name) {
            if (!is_name(c) && c != '-' && c != '.') return false;
        }
        if (colon == std::string_view::npos) return true;
        port = host.substr(colon + 1);
    }
    auto number = integer_of(port);
    return number && *number >= 1 && *number <= 65535 && port[0] != '+';
}

std::string_view without_default_port(std::string_view scheme, std::string_view host) {
    std::string_view port = scheme == "https" ? ":443" : ":80";
    if (host.ends_with(port)) host.remove_suffix(port.size());
    return host;
}

bool is_allowed(std::string_view host, std::span<const std::string_view> allowed) {
    return std::any_of(allowed.begin(), allowed.end(), [&](std::string_view rule) {
        if (rule.starts_with("*.")) return host.size() > rule.size() - 1 && host.ends_with(rule.substr(1));
        return host == rule;
    });
}

// '.' and '..', also written %2e, as servers decode before they resolve.
std::size_t dots(std::string_view segment) {
    std::size_t count = 0;
    while (!segment.empty() && count < 3) {
        if (segment[0] == '.') {
            segment.remove_prefix(1);
        } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' &&
                   lower(segment[2]) == 'e') {
            segment.remove_prefix(3);
        } else {
            return 0;
        }
        ++count;
    }
    return segment.empty() ? count : 0;
}

// RFC 3986 section 5.2.4.
std::string remove_dot_segments(std::string whole) {
    if (whole.find("/.") == std::string::npos && whole.find('%') == std::string::npos) return whole;
    std::string_view path = whole;
    std::string out;
    while (!path.empty()) {
        path.remove_prefix(1);  // '/'
        std::size_t end = std::min(path.find('/'), path.size());
        std::string_view segment = path.substr(0, end);
        path.remove_prefix(end);
        std::size_t count = dots(segment);
        if (count == 2) out.resize(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
        if (count == 1 || count == 2) {
            if (path.empty()) out += '/';
            continue;
        }
        (out += '/') += segment;
    }
    return out.empty() ? "/" : out;
}

// Path and query of `reference`, which begins at the path, relative to the page's path.
std::string resolve_path(std::string_view reference, std::string_view base) {
    std::size_t question = std::min(reference.find('?'), reference.size());
    std::string_view path = reference.substr(0, question), query = reference.substr(question);
    base = base.substr(0, base.find('?'));
    if (base.empty() || base[0] != '/') base = "/";
    std::string whole;
    if (path.starts_with('/')) {
        whole = path;
    } else if (path.empty()) {
        whole = base;
    } else {
        (whole = base.substr(0, base.rfind('/') + 1)) += path;
    }
    return remove_dot_segments(std::move(whole)).append(query);
}

IncludeUrl refused(UrlRefusal refusal) {
    IncludeUrl url;
    url.refusal = refusal;
    return url;
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
            return "leads to a host that is not allowed";
    }
    return "is refused";
}

IncludeUrl resolve_include_url(std::string_view url, const PageUrl& page,
                               std::span<const std::string_view> allowed_hosts) {
    IncludeUrl result;
    url = url.substr(0, url.find('#'));  // a fragment is the client's, and no part of a request
    if (UrlRefusal refusal = check_bytes(url); refusal != UrlRefusal::none) return refused(refusal);
    std::string scheme = lower_case(scheme_of(url));
    if (!scheme.empty()) {
        if (scheme != "http" && scheme != "https") return refused(UrlRefusal::scheme);
        url.remove_prefix(scheme.size() + 1);
        if (!url.starts_with("//")) return refused(UrlRefusal::bad_host);
    }
    if (url.starts_with("//")) {
        if (scheme.empty()) scheme = lower_case(page.scheme);
        url.remove_prefix(2);
        std::size_t end = std::min(url.find_first_of("/?"), url.size());
        std::string_view authority = url.substr(0, end);
        url.remove_prefix(end);
        if (authority.find('@') != std::string_view::npos) return refused(UrlRefusal::userinfo);
        if (!is_host(authority)) return refused(UrlRefusal::bad_host);
        std::string host = lower_case(without_default_port(scheme, authority));
        if (host != lower_case(without_default_port(scheme, page.host))) {
            if (!is_allowed(host, allowed_hosts)) return refused(UrlRefusal::foreign_host);
            result.remote = true;
            result.scheme = scheme;
            result.host = host;
        }
        result.target = resolve_path(url.starts_with('/') ? std::string(url) : "/" + std::string(url), "/");
    } else {
        result.target = resolve_path(url, page.path);
    }
    return result;
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
