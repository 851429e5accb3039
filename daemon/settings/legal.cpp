// Each function pairs a predicate with its description.
#include "legal.hpp"

#include <algorithm>
#include <cctype>

#include "cache/signer.hpp"

namespace larder::daemon {

namespace {

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    });
}

bool is_visible(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

// A header field's value, without control characters that could begin another field (RFC 9110 section 5.5).
bool is_field_value(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
}

// A field name that a [[backend]] may set: not one of those that frame or address the request, which larderd sets itself.
bool is_free_field_name(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const char* taken :
         {"host", "cookie", "content-length", "transfer-encoding", "connection", "accept-encoding",
          "expect", "te", "trailer", "upgrade"}) {
        if (lower == taken) return false;
    }
    return !lower.empty() && std::all_of(lower.begin(), lower.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
    });
}

bool is_secret(std::string_view text) {
    return text.size() >= min_signing_key_bytes && is_visible(text);
}

bool is_host_pattern(std::string_view text) {
    if (text == "*") return true;
    if (text.starts_with("*.")) text.remove_prefix(2);
    return !text.empty() && is_visible(text) && std::none_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isupper(c) != 0 || c == '*' || c == '/';
    });
}

}  // namespace

Legal<Number> between(Number least, Number most) {
    return {show(least) + " to " + show(most), [=](const Number& n) { return n >= least && n <= most; }};
}

Legal<Duration> between(Duration least, Duration most) {
    return {show(least) + " to " + show(most), [=](const Duration& d) { return d >= least && d <= most; }};
}

Legal<Decimal> decimal_between(double least, double most) {
    return {show(Decimal(least)) + " to " + show(Decimal(most)),
            [=](const Decimal& n) { return n >= least && n <= most; }};
}

Legal<Node> any_node() {
    return {"{ alias = \"...\", dsn = \"...\" }", [](const Node&) { return true; }};
}

Legal<Nodes> any_nodes() {
    return {"alias and dsn, and a weight of 1 to 1000 or none", [](const Nodes&) { return true; }};
}

Legal<Size> bytes_between(std::int64_t least, std::int64_t most) {
    return {show(Size(least)) + " to " + show(Size(most)),
            [=](const Size& s) { return s.bytes >= least && s.bytes <= most; }};
}

Legal<Text> one_of(std::initializer_list<const char*> words) {
    std::vector<std::string> legal(words.begin(), words.end());
    std::string listed;
    for (const std::string& word : legal) listed += (listed.empty() ? "" : ", ") + show(word);
    return {listed,
            [legal](const Text& text) { return std::find(legal.begin(), legal.end(), text) != legal.end(); }};
}

Legal<Text> required_name() {
    return {"1 to 64 letters, digits, '_', '-' or '.'; required", is_name};
}

Legal<Text> optional_name() {
    return {"1 to 64 letters, digits, '_', '-' or '.'; or empty",
            [](const Text& t) { return t.empty() || is_name(t); }};
}

Legal<Text> key_prefix() {
    return {"0 to 64 visible characters without '{' and '}'", [](const Text& t) {
                return t.size() <= 64 && is_visible(t) && t.find_first_of("{}") == std::string::npos;
            }};
}

Legal<Text> listen_address() {
    return {"HOST:PORT or unix:/PATH", [](const Text& t) { return parse_listen_address(t).has_value(); }};
}

Legal<Text> queue_url() {
    return {"redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], redis+unix:/PATH, or unix:/PATH", [](const Text& t) {
                return t.starts_with("unix:/") ? t.size() < max_socket_path : parse_redis_url(t).has_value();
            }};
}

Legal<Text> store_url() {
    return {
        "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], redis+unix:/PATH, or "
        "memcached://HOST[:PORT][,HOST[:PORT]]...; required",
        [](const Text& t) { return parse_redis_url(t).has_value() || parse_memcached_url(t).has_value(); }};
}

Legal<Text> backend_url() {
    return {"http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH; required",
            [](const Text& t) { return parse_backend_url(t).has_value(); }};
}

Legal<Texts> backend_urls() {
    return {"a list of http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH", [](const Texts& list) {
                return std::all_of(list.begin(), list.end(),
                                   [](const Text& t) { return parse_backend_url(t).has_value(); });
            }};
}

Legal<Text> absolute_url_or_empty() {
    return {"http://HOST/PATH or https://HOST/PATH, or empty",
            [](const Text& t) { return t.empty() || parse_page_url(t).has_value(); }};
}

Legal<Text> absolute_path_or_empty() {
    return {"an absolute path, or empty", [](const Text& t) {
                auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
                return t.empty() || (t.front() == '/' && std::none_of(t.begin(), t.end(), is_control));
            }};
}

Legal<Text> secret_or_empty() {
    return {"at least 16 visible characters, or empty",
            [](const Text& t) { return t.empty() || is_secret(t); }};
}

Legal<Text> file_mode() {
    return {"\"0000\" to \"0777\", octal", [](const Text& t) {
                return t.size() == 4 && t[0] == '0' && t.find_first_not_of("01234567") == std::string::npos;
            }};
}

Legal<Text> field_value() {
    return {"a header's value without control characters", is_field_value};
}

Legal<Texts> secrets() {
    return {"a list of texts of at least 16 visible characters",
            [](const Texts& list) { return std::all_of(list.begin(), list.end(), is_secret); }};
}

Legal<Texts> host_patterns() {
    return {"a list of lower-case hosts, \"*.HOST\" or \"*\", at least one; required", [](const Texts& list) {
                return !list.empty() && std::all_of(list.begin(), list.end(), is_host_pattern);
            }};
}

Legal<Texts> absolute_urls() {
    return {"a list of http://HOST/PATH or https://HOST/PATH", [](const Texts& list) {
                return std::all_of(list.begin(), list.end(),
                                   [](const Text& t) { return parse_page_url(t).has_value(); });
            }};
}

Legal<Pairs> field_pairs() {
    return {
        "a table of header names and values, but for Host, Cookie, Accept-Encoding and those that frame a "
        "message",
        [](const Pairs& pairs) {
            return std::all_of(pairs.begin(), pairs.end(), [](const auto& pair) {
                return is_free_field_name(pair.first) && is_field_value(pair.second);
            });
        }};
}

}  // namespace larder::daemon
