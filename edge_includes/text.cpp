// Text helpers of the ESI engine.
#include "edge_includes/text.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

namespace larder::esi {

namespace {

constexpr char hex_digits[] = "0123456789ABCDEF";

std::string_view html_reference(char c) {
    switch (c) {
        case '&':
            return "&amp;";
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '"':
            return "&quot;";
        case '\'':
            return "&#39;";
        default:
            return {};
    }
}

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

// True for all characters that could end a string or a template literal of JavaScript or JSON, or a script element.
bool json_needs_escape(char c) {
    return static_cast<unsigned char>(c) < 0x20 || std::strchr("\"'\\<>&`$", c) != nullptr;
}

// U+2028 and U+2029 end lines in JavaScript before ES2019.
bool is_line_separator(std::string_view rest) {
    return rest.size() >= 3 && rest[0] == '\xe2' && rest[1] == '\x80' &&
           (rest[2] == '\xa8' || rest[2] == '\xa9');
}

char* append(char* out, std::string_view text) {
    return std::copy(text.begin(), text.end(), out);
}

char* append_u_escape(char* out, unsigned code) {
    out = append(out, "\\u");
    for (int shift = 12; shift >= 0; shift -= 4) *out++ = hex_digits[(code >> shift) & 15];
    return out;
}

// A code point as UTF-8; empty for NUL, surrogates and numbers above U+10FFFF.
std::string utf8(std::uint32_t code) {
    std::string out;
    auto add = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return out;
    if (code < 0x80) {
        add(code);
    } else if (code < 0x800) {
        add(0xc0 | code >> 6), add(0x80 | (code & 63));
    } else if (code < 0x10000) {
        add(0xe0 | code >> 12), add(0x80 | (code >> 6 & 63)), add(0x80 | (code & 63));
    } else {
        add(0xf0 | code >> 18), add(0x80 | (code >> 12 & 63)), add(0x80 | (code >> 6 & 63)),
            add(0x80 | (code & 63));
    }
    return out;
}

// Decodes the name between '&' and ';'. Empty if there is no such reference.
std::string reference(std::string_view name) {
    if (name == "amp") return "&";
    if (name == "lt") return "<";
    if (name == "gt") return ">";
    if (name == "quot") return "\"";
    if (name == "apos") return "'";
    if (name.size() < 2 || name[0] != '#') return {};
    name.remove_prefix(1);
    int base = 10;
    if (name[0] == 'x' || name[0] == 'X') base = 16, name.remove_prefix(1);
    std::uint32_t code = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), code, base);
    if (error != std::errc{} || end != name.data() + name.size()) return {};
    return utf8(code);
}

}  // namespace

std::size_t escaped_size(Escape escape, std::string_view text) {
    std::size_t size = text.size();
    switch (escape) {
        case Escape::html:
            for (char c : text) {
                std::string_view reference = html_reference(c);
                if (!reference.empty()) size += reference.size() - 1;
            }
            break;
        case Escape::url:
            for (char c : text) size += is_unreserved(c) ? 0 : 2;
            break;
        case Escape::json:
            for (std::size_t i = 0; i < text.size(); ++i) {
                if (json_needs_escape(text[i])) size += 5;
                if (is_line_separator(text.substr(i))) size += 3;
            }
            break;
        case Escape::none:
        case Escape::raw:
            break;
    }
    return size;
}

char* write_escaped(Escape escape, std::string_view text, char* out) {
    switch (escape) {
        case Escape::html:
            for (char c : text) {
                std::string_view reference = html_reference(c);
                if (reference.empty()) {
                    *out++ = c;
                } else {
                    out = append(out, reference);
                }
            }
            return out;
        case Escape::url:
            for (char c : text) {
                if (is_unreserved(c)) {
                    *out++ = c;
                } else {
                    auto byte = static_cast<unsigned char>(c);
                    *out++ = '%', *out++ = hex_digits[byte >> 4], *out++ = hex_digits[byte & 15];
                }
            }
            return out;
        case Escape::json:
            for (std::size_t i = 0; i < text.size(); ++i) {
                if (json_needs_escape(text[i])) {
                    out = append_u_escape(out, static_cast<unsigned char>(text[i]));
                } else if (is_line_separator(text.substr(i))) {
                    out = append_u_escape(out, text[i + 2] == '\xa8' ? 0x2028 : 0x2029);
                    i += 2;
                } else {
                    *out++ = text[i];
                }
            }
            return out;
        case Escape::none:
        case Escape::raw:
            break;
    }
    return append(out, text);
}

std::string decode_references(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        std::size_t at = text.find('&');
        out.append(text.substr(0, at));
        if (at == std::string_view::npos) break;
        text.remove_prefix(at);
        std::size_t semicolon = text.substr(0, 12).find(';');
        std::string decoded =
            semicolon == std::string_view::npos ? std::string{} : reference(text.substr(1, semicolon - 1));
        if (decoded.empty()) {
            out.push_back('&');
            text.remove_prefix(1);
        } else {
            out.append(decoded);
            text.remove_prefix(semicolon + 1);
        }
    }
    return out;
}

char* write_url_decoded(std::string_view text, bool plus_is_space, char* out) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        int high = -1, low = -1;
        if (text[i] == '%' && i + 2 < text.size())
            high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
        if (high >= 0 && low >= 0) {
            *out++ = static_cast<char>(high << 4 | low);
            i += 2;
        } else {
            *out++ = plus_is_space && text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

std::optional<std::int64_t> integer_of(std::string_view text) {
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<double> decimal_of(std::string_view text) {
    if (text.empty() || text.size() > 32 || text.find_first_not_of("0123456789.-") != std::string_view::npos)
        return std::nullopt;
    double value = 0;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

namespace {

// The Knuth-Morris-Pratt algorithm. `at(i)` returns the i-th byte of the text, `of(i)` of the part, in the direction of
// the search.
template <typename At, typename Of>
std::size_t search(std::size_t size, At at, std::size_t part_size, Of of) {
    if (part_size == 0) return 0;
    if (part_size > size) return std::string_view::npos;
    std::vector<std::uint32_t> shorter(part_size);  // length of the longest proper prefix of the part that is a suffix of part[0..i]
    for (std::size_t i = 1, matched = 0; i < part_size; ++i) {
        while (matched > 0 && of(i) != of(matched)) matched = shorter[matched - 1];
        if (of(i) == of(matched)) ++matched;
        shorter[i] = static_cast<std::uint32_t>(matched);
    }
    for (std::size_t i = 0, matched = 0; i < size; ++i) {
        while (matched > 0 && at(i) != of(matched)) matched = shorter[matched - 1];
        if (at(i) == of(matched)) ++matched;
        if (matched == part_size) return i + 1 - part_size;
    }
    return std::string_view::npos;
}

}  // namespace

// Uses memmem(), as the running time of std::string_view::find is quadratic for some texts.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
    if (from > text.size()) return std::string_view::npos;
    if (part.empty()) return from;
    if (part.size() > text.size() - from) return std::string_view::npos;  // also avoids memmem(nullptr) for an empty text
    const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
    return found == nullptr ? std::string_view::npos
                            : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::size_t find_last(std::string_view text, std::string_view part) {
    auto at = [text](std::size_t i) { return text[text.size() - 1 - i]; };
    auto of = [part](std::size_t i) { return part[part.size() - 1 - i]; };
    std::size_t from_end = search(text.size(), at, part.size(), of);
    return from_end == std::string_view::npos ? from_end : text.size() - from_end - part.size();
}

std::size_t find_any_case(std::string_view text, std::string_view part) {
    return search(
        text.size(), [text](std::size_t i) { return lower(text[i]); }, part.size(),
        [part](std::size_t i) { return lower(part[i]); });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name(char c) {
    return is_name_start(c) || (c >= '0' && c <= '9');
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace larder::esi
