#include "cache/request/url.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace larder {

namespace {

bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    c = static_cast<char>(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_unreserved(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

// Characters that a path or query may contain unescaped: unreserved and reserved ones. '%' is handled separately.
constexpr std::array<bool, 256> plain_characters = [] {
    std::array<bool, 256> plain{};
    for (unsigned c = 0x21; c < 0x7f; c++)
        plain[c] = std::string_view("%\"<>\\^`{|}").find(static_cast<char>(c)) == std::string_view::npos;
    return plain;
}();

bool is_plain(char c) {
    return plain_characters[static_cast<unsigned char>(c)];
}

// A path of plain characters alone, without "/.".
bool is_plain_path(std::string_view path) {
    char before = '\0';
    for (char c : path) {
        if (!is_plain(c) || (c == '.' && before == '/')) return false;
        before = c;
    }
    return true;
}

void append_escape(std::string& text, unsigned byte) {
    text.push_back('%');
    text.push_back("0123456789ABCDEF"[byte >> 4u]);
    text.push_back("0123456789ABCDEF"[byte & 15u]);
}

// RFC 3986 section 5.2.4, for a path that begins with "/".
std::string without_dot_segments(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        std::size_t end = std::min(path.find('/', 1), path.size());
        std::string_view segment = path.substr(1, end - 1);
        path.remove_prefix(end);
        bool up = segment == "..";
        if (up) out.resize(std::min(out.rfind('/'), out.size()));
        if (!up && segment != ".")
            out.append("/").append(segment);
        else if (path.empty())
            out.push_back('/');
    }
    return out;
}

bool equals_scheme(std::string_view text, std::string_view scheme) {
    return text.size() == scheme.size() && std::equal(text.begin(), text.end(), scheme.begin(),
                                                      [](char a, char b) { return (a | 0x20) == b; });
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

struct Authority {
    std::string_view host, port;  // the port may be empty, with or without its colon
};

Authority split_authority(std::string_view authority) {
    std::size_t digits = authority.size();
    while (digits != 0 && is_digit(authority[digits - 1])) digits--;
    if (digits == 0 || authority[digits - 1] != ':') return {authority, {}};
    std::size_t colon = digits - 1;
    // An IPv6 address has its colons in brackets.
    bool one_colon = (colon != 0 && authority[colon - 1] == ']') || authority.find(':') == colon;
    if (!one_colon) return {authority, {}};
    return {authority.substr(0, colon), authority.substr(digits)};
}

// Whether a client may send this authority and nginx accepts it: a name, an address or [an IPv6 address], with a
// valid port if any.
bool is_authority(std::string_view authority) {
    auto [host, digits] = split_authority(authority);
    auto legal = [](unsigned char c) {
        return is_unreserved(c) ||
               std::string_view("%!$&'()*+,;=").find(static_cast<char>(c)) != std::string_view::npos;
    };
    bool literal = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (literal) host = host.substr(1, host.size() - 2);
    unsigned port = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), port);
    return !host.empty() && digits.size() <= 5 && port <= 65535 &&
           std::all_of(host.begin(), host.end(),
                       [&](unsigned char c) { return legal(c) || (literal && c == ':'); });
}

// `text`: "//authority/path?query".
std::optional<Url> parse_after_scheme(std::string_view scheme, std::string_view text) {
    if (text.substr(0, 2) != "//") return std::nullopt;
    text.remove_prefix(2);
    auto end = std::min(text.find_first_of("/?#"), text.size());
    if (!is_authority(text.substr(0, end))) return std::nullopt;
    Target target = split_target(text.substr(end));
    std::string storage;
    Url url;
    url.scheme = scheme;
    url.authority = normalise_authority(text.substr(0, end), scheme, storage);
    url.path = normalise_path(target.path, storage);
    url.query = normalise_escapes(target.query, storage);
    return url;
}

}  // namespace

std::string_view port_of(std::string_view authority) {
    return split_authority(authority).port;
}

std::string_view normalise_authority(std::string_view authority, std::string_view scheme,
                                     std::string& storage) {
    auto [host, port] = split_authority(authority);
    if (host.size() > 1 && host.back() == '.' && host[host.size() - 2] != '.') host.remove_suffix(1);
    while (port.size() > 1 && port[0] == '0') port.remove_prefix(1);
    if (port == (scheme == "https" ? "443" : "80")) port = {};
    bool has_upper = std::any_of(host.begin(), host.end(), is_upper);
    std::size_t length = host.size() + (port.empty() ? 0 : 1 + port.size());
    if (!has_upper && (length == authority.size() || port.empty())) return authority.substr(0, length);
    storage.assign(host);
    std::transform(storage.begin(), storage.end(), storage.begin(),
                   [](char c) { return is_upper(c) ? static_cast<char>(c | 0x20) : c; });
    if (!port.empty()) storage.append(":").append(port);
    return storage;
}

std::string_view normalise_escapes(std::string_view text, std::string& storage) {
    auto first = std::find_if_not(text.begin(), text.end(), is_plain);
    if (first == text.end()) return text;
    std::string out(text.begin(), first);
    for (auto at = static_cast<std::size_t>(first - text.begin()); at < text.size(); at++) {
        auto c = static_cast<unsigned char>(text[at]);
        int high = c == '%' && at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
        int low = high >= 0 ? hex_value(text[at + 2]) : -1;
        if (low >= 0) {
            at += 2;
            auto byte = static_cast<unsigned>(high * 16 + low);
            if (is_unreserved(static_cast<unsigned char>(byte)))
                out.push_back(static_cast<char>(byte));
            else
                append_escape(out, byte);
        } else if (c == '%' || is_plain(text[at])) {
            out.push_back(text[at]);
        } else {
            append_escape(out, c);
        }
    }
    storage = std::move(out);  // assigned last, as `text` may refer to it
    return storage;
}

std::string_view normalise_path(std::string_view path, std::string& storage) {
    if (path.empty()) return "/";
    if (is_plain_path(path)) return path;
    path = normalise_escapes(path, storage);
    if (path.find("/.") == std::string_view::npos) return path;
    storage = without_dot_segments(path);
    return storage;
}

Target split_target(std::string_view target) {
    target = target.substr(0, target.find('#'));
    auto question = std::min(target.find('?'), target.size());
    return {target.substr(0, question), target.substr(std::min(question + 1, target.size()))};
}

bool is_plainly_normal(std::string_view target) {
    if (!target.starts_with('/') || target.starts_with("//") || target.ends_with('?')) return false;
    auto path = target.substr(0, target.find('?'));
    auto rest = target.substr(path.size());
    return is_plain_path(path) && path.find('#') == std::string_view::npos &&
           std::all_of(rest.begin(), rest.end(), [](char c) { return is_plain(c) && c != '#'; });
}

std::string Url::target() const {
    return query.empty() ? path : path + "?" + query;
}

std::string Url::text() const {
    return scheme + "://" + authority + target();
}

std::string_view scheme_of(std::string_view reference) {
    auto end = reference.find_first_of(":/?#");
    return end == std::string_view::npos || reference[end] != ':' ? std::string_view()
                                                                  : reference.substr(0, end);
}

std::optional<Url> parse_url(std::string_view text) {
    if (has_control(text)) return std::nullopt;
    std::string_view given = scheme_of(text);
    for (std::string_view scheme : {"http", "https"}) {
        if (equals_scheme(given, scheme)) return parse_after_scheme(scheme, text.substr(scheme.size() + 1));
    }
    return std::nullopt;
}

std::optional<Url> resolve_url(std::string_view reference, const Url& base) {
    if (has_control(reference)) return std::nullopt;
    if (!scheme_of(reference).empty()) return parse_url(reference);
    if (reference.substr(0, 2) == "//") return parse_after_scheme(base.scheme, reference);
    Target target = split_target(reference);
    bool has_query = reference.substr(0, reference.find('#')).find('?') != std::string_view::npos;
    Url url = base;
    std::string storage;
    if (!target.path.empty()) {
        std::string merged;
        if (target.path[0] != '/') merged = base.path.substr(0, base.path.rfind('/') + 1);
        merged.append(target.path);
        url.path = normalise_path(merged, storage);
    }
    if (has_query || !target.path.empty()) url.query = normalise_escapes(target.query, storage);
    return url;
}

}  // namespace larder
