// The encoding of variants. nginx and larderd write it, and parse it as untrusted input.
#include "cache/request/variant.hpp"

#include <algorithm>

#include "cache/bytes.hpp"
#include "cache/request/url.hpp"

namespace larder {

namespace {

bool is_printable_token(std::string_view text) {
    for (unsigned char c : text) {
        if (c <= 0x20 || c == 0x7f) return false;
    }
    return !text.empty();
}

// Text for a request line or field must not be able to begin another one (RFC 9112 section 11.1).
bool has_control(std::string_view text) {
    for (unsigned char c : text) {
        if ((c < 0x20 && c != '\t') || c == 0x7f) return true;
    }
    return false;
}

bool read_rest(ByteReader&, NamedValue&) {
    return true;
}

bool read_rest(ByteReader& in, KeptCookie& cookie) {
    auto kind = in.integer<std::uint8_t>();
    cookie.kind = static_cast<CookieKind>(kind);
    return kind <= static_cast<std::uint8_t>(CookieKind::verified);
}

template <typename Pair>
bool read_pairs(ByteReader& in, std::vector<Pair>& pairs) {
    auto count = in.integer<std::uint8_t>();
    if (count > max_variant_pairs) return false;
    pairs.reserve(count);
    for (unsigned i = 0; i < count; i++) {
        Pair pair;
        pair.name = in.text16();
        pair.value = in.text16();
        if (!read_rest(in, pair)) return false;
        if (!in.ok() || !is_printable_token(pair.name) || has_control(pair.value)) return false;
        if (!pairs.empty() && !(pairs.back().name < pair.name)) return false;
        pairs.push_back(pair);
    }
    return true;
}

// The prefix of `led` before the URI.
std::string_view place_of(std::string_view led) {
    return led.substr(0, led.find('/'));
}

bool is_led(std::string_view text) {
    std::string_view place = place_of(text);
    return is_printable_token(text) && place.size() < text.size() &&
           (place.empty() || place[0] == '@' || place[0] == '#');
}

}  // namespace

std::optional<Variant> Variant::parse(std::string_view bytes, const char** why) {
    *why = nullptr;
    if (bytes.size() > max_variant_bytes) {
        *why = "variant is longer than 16384 bytes";
        return std::nullopt;
    }
    ByteReader in(bytes);
    if (in.integer<std::uint8_t>() != variant_version) {
        *why = "variant has an unknown version";
        return std::nullopt;
    }
    Variant v;
    v.method = in.text16();
    v.scheme = in.text16();
    v.host = in.text16();
    v.path = in.text16();
    v.query = in.text16();
    v.led = in.text16();
    v.site = in.text16();
    if (!in.ok()) {
        *why = "variant is truncated";
        return std::nullopt;
    }
    if (!is_printable_token(v.method) || (v.scheme != "http" && v.scheme != "https") ||
        !is_printable_token(v.host) || !is_printable_token(v.path) || v.path[0] != '/' ||
        (!v.query.empty() && !is_printable_token(v.query)) ||
        (!v.led.empty() && !is_led(v.led)) ||
        (!v.site.empty() && !is_printable_token(v.site))) {
        *why = "variant has an invalid method, scheme, host, path, query, URI or site";
        return std::nullopt;
    }
    if (!read_pairs(in, v.cookies) || !read_pairs(in, v.headers)) {
        *why = "variant has invalid, unsorted or too many cookies or headers";
        return std::nullopt;
    }
    if (!in.at_end()) {
        *why = "variant is truncated or has trailing bytes";
        return std::nullopt;
    }
    return v;
}

std::string Variant::encode() const {
    std::string bytes;
    ByteWriter out(bytes);
    out.integer(variant_version);
    for (std::string_view part : {method, scheme, host, path, query, led, site}) out.text16(part);
    out.integer(static_cast<std::uint8_t>(cookies.size()));
    for (const KeptCookie& cookie : cookies) {
        out.text16(cookie.name);
        out.text16(cookie.value);
        out.integer(static_cast<std::uint8_t>(cookie.kind));
    }
    out.integer(static_cast<std::uint8_t>(headers.size()));
    for (const NamedValue& header : headers) {
        out.text16(header.name);
        out.text16(header.value);
    }
    return bytes;
}

std::string Variant::url() const {
    return std::string(scheme).append("://").append(host).append(target());
}

std::string Variant::target() const {
    std::string text(path);
    if (!query.empty()) text.append("?").append(query);
    return text;
}

std::string Variant::led_target() const {
    return led.empty() ? target() : std::string(led.substr(place_of(led).size()));
}

bool Variant::led_by_condition() const {
    return place_of(led).find('#') != std::string_view::npos;
}

bool Variant::needs_visitor() const {
    return std::any_of(cookies.begin(), cookies.end(),
                       [](const KeptCookie& cookie) { return cookie.kind == CookieKind::digest; }) ||
           std::any_of(headers.begin(), headers.end(),
                       [](const NamedValue& header) { return header.name == authorization_field; });
}

std::string Variant::cookie_field(const std::function<std::string(std::string_view)>& sign) const {
    std::string text;
    for (const KeptCookie& cookie : cookies) {
        if (!text.empty()) text.append("; ");
        text.append(cookie.name).append("=");
        if (cookie.kind == CookieKind::verified)
            text.append(sign(cookie.value));
        else
            text.append(cookie.value);
    }
    return text;
}

std::string part_variant(std::string_view page, std::string_view target) {
    const char* why;
    auto variant = Variant::parse(page, &why);
    if (!variant) return {};
    Target parts = split_target(target);
    std::string path, query;
    if (parts.path.empty()) return {};
    variant->method = "PART";
    variant->led = {};
    variant->path = normalise_path(parts.path, path);
    variant->query = normalise_escapes(parts.query, query);
    std::string encoded = variant->encode();
    return Variant::parse(encoded, &why) ? encoded : std::string();
}

void VariantWriter::byte(std::uint8_t value) {
    if (at_ == end_) {
        overflow_ = true;
        return;
    }
    *at_++ = static_cast<char>(value);
}

void VariantWriter::text(std::string_view value) {
    if (value.size() > 0xffff || static_cast<std::size_t>(end_ - at_) < value.size() + 2) {
        overflow_ = true;
        return;
    }
    auto length = static_cast<std::uint16_t>(value.size());
    std::memcpy(at_, &length, sizeof length);
    if (!value.empty()) std::memcpy(at_ + sizeof length, value.data(), value.size());
    at_ += sizeof length + value.size();
}

void VariantWriter::start(std::string_view method, std::string_view scheme, std::string_view host,
                          std::string_view path, std::string_view query, std::string_view led,
                          std::string_view site) {
    byte(variant_version);
    for (std::string_view part : {method, scheme, host, path, query, led, site}) text(part);
}

void VariantWriter::start_pairs() {
    count_at_ = at_;
    byte(0);
}

bool VariantWriter::counted() {
    if (overflow_) return false;
    overflow_ = static_cast<std::uint8_t>(*count_at_) == max_variant_pairs;
    if (!overflow_) ++*count_at_;
    return !overflow_;
}

void VariantWriter::cookie(const KeptCookie& cookie) {
    if (!counted()) return;
    text(cookie.name);
    text(cookie.value);
    byte(static_cast<std::uint8_t>(cookie.kind));
}

void VariantWriter::header(std::string_view name, std::string_view value) {
    if (!counted()) return;
    text(name);
    text(value);
}

std::optional<std::string_view> VariantWriter::finish() const {
    if (overflow_) return std::nullopt;
    return std::string_view(begin_, static_cast<std::size_t>(at_ - begin_));
}

}  // namespace larder
