// The built-in functions of expressions: text, encodings, time, digests, lists.
#include "edge_includes/expression/functions.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "edge_includes/text.hpp"

namespace larder::esi {

namespace {

std::optional<std::int64_t> integer(const Value& value) {
    if (value.kind == Value::Kind::integer || value.kind == Value::Kind::boolean) return value.integer;
    if (value.kind == Value::Kind::text) return integer_of(trim(value.text));
    return std::nullopt;
}

Value size_value(std::size_t size) {
    return integer_value(static_cast<std::int64_t>(size));
}

// A copy of the first argument with each byte mapped.
template <typename Map>
Value mapped(FunctionCall& call, Map map) {
    std::string_view text = call.text(0);
    char* out = call.evaluator.allocate(text.size());
    if (out == nullptr) return {};
    std::transform(text.begin(), text.end(), out, map);
    return text_value({out, text.size()});
}

// ---- text

Value lower_case(FunctionCall& call) {
    return mapped(call, lower);
}
Value upper_case(FunctionCall& call) {
    return mapped(call, upper);
}

Value length(FunctionCall& call) {
    const Value& value = call.arguments[0];
    if (value.kind == Value::Kind::list) return size_value(value.items.size());
    if (value.kind == Value::Kind::dictionary) return size_value(value.pairs.size());
    return size_value(call.text(0).size());
}

// $substr(text, start[, count]): a negative start counts from the end, a negative count drops that many bytes at the end.
Value substring(FunctionCall& call) {
    std::string_view text = call.text(0);
    auto size = static_cast<std::int64_t>(text.size());
    auto start = integer(call.arguments[1]);
    auto count = call.arguments.size() > 2 ? integer(call.arguments[2]) : size;
    if (!start || !count) return {};
    std::int64_t from =
        std::clamp<std::int64_t>(*start < 0 && *start >= -size ? *start + size : *start, 0, size);
    std::int64_t most = size - from;
    std::int64_t taken =
        *count < 0 ? std::max<std::int64_t>(0, *count < -most ? 0 : most + *count) : std::min(*count, most);
    return text_value(text.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(taken)));
}

Value position(std::size_t at) {
    return at == std::string_view::npos ? integer_value(-1) : size_value(at);
}
Value index_of(FunctionCall& call) {
    return position(find_text(call.text(0), call.text(1)));
}
Value last_index_of(FunctionCall& call) {
    return position(find_last(call.text(0), call.text(1)));
}
Value starts_with(FunctionCall& call) {
    return boolean_value(call.text(0).starts_with(call.text(1)));
}
Value ends_with(FunctionCall& call) {
    return boolean_value(call.text(0).ends_with(call.text(1)));
}

Value strip(FunctionCall& call) {
    return text_value(trim(call.text(0)));
}

Value strip_left(FunctionCall& call) {
    std::string_view text = call.text(0);
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    return text_value(text);
}

Value strip_right(FunctionCall& call) {
    std::string_view text = call.text(0);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text_value(text);
}

// $replace(text, old, new[, count])
Value replace(FunctionCall& call) {
    std::string_view text = call.text(0), old = call.text(1), fresh = call.text(2);
    auto most = call.arguments.size() > 3 ? integer(call.arguments[3]) : std::optional<std::int64_t>(1 << 20);
    if (old.empty() || !most || *most <= 0) return text_value(text);
    std::size_t count = 0;
    auto limit = static_cast<std::size_t>(*most);
    for (std::size_t at = 0; count < limit && (at = find_text(text, old, at)) != std::string_view::npos;
         at += old.size())
        ++count;
    if (count == 0) return text_value(text);
    std::size_t size = text.size() - count * old.size() + count * fresh.size();
    char* out = call.evaluator.allocate(size);
    if (out == nullptr) return {};
    std::string_view result(out, size);
    for (; count > 0; --count) {
        std::size_t at = find_text(text, old);
        out = std::copy_n(text.begin(), at, out);
        out = std::copy(fresh.begin(), fresh.end(), out);
        text.remove_prefix(at + old.size());
    }
    std::copy(text.begin(), text.end(), out);
    return text_value(result);
}

// ---- conversions and tests

Value to_integer(FunctionCall& call) {
    auto value = integer(call.arguments[0]);
    return value ? integer_value(*value) : Value{};
}
Value to_text(FunctionCall& call) {
    return text_value(call.text(0));
}
Value to_boolean(FunctionCall& call) {
    return boolean_value(call.arguments[0].truthy());
}
Value exists(FunctionCall& call) {
    return boolean_value(call.arguments[0].kind != Value::Kind::undefined);
}

bool empty(const Value& value) {
    return !value.truthy() && value.kind != Value::Kind::integer && value.kind != Value::Kind::boolean;
}
Value is_empty(FunctionCall& call) {
    return boolean_value(empty(call.arguments[0]));
}
Value default_value(FunctionCall& call) {
    return empty(call.arguments[0]) ? call.arguments[1] : call.arguments[0];
}

Value dollar(FunctionCall&) {
    return text_value("$");
}
Value single_quote(FunctionCall&) {
    return text_value("'");
}
Value double_quote(FunctionCall&) {
    return text_value("\"");
}

// ---- encodings

Value html_encode(FunctionCall& call) {
    return call.evaluator.escaped(Escape::html, call.text(0));
}
Value url_encode(FunctionCall& call) {
    return call.evaluator.escaped(Escape::url, call.text(0));
}
Value json_encode(FunctionCall& call) {
    return call.evaluator.escaped(Escape::json, call.text(0));
}
Value raw(FunctionCall& call) {
    return text_value(call.text(0), Escape::raw);
}
Value html_decode(FunctionCall& call) {
    return call.evaluator.make_text(decode_references(call.text(0)));
}

Value url_decode(FunctionCall& call) {
    std::string_view text = call.text(0);
    char* out = call.evaluator.allocate(text.size());
    if (out == nullptr) return {};
    return text_value({out, static_cast<std::size_t>(write_url_decoded(text, true, out) - out)});
}

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Value base64_encode(FunctionCall& call) {
    std::string_view text = call.text(0);
    std::size_t size = (text.size() + 2) / 3 * 4;
    char* out = call.evaluator.allocate(size + 1);  // OpenSSL appends a NUL
    if (out == nullptr) return {};
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out), bytes(text), static_cast<int>(text.size()));
    return text_value({out, size});
}

Value base64_decode(FunctionCall& call) {
    std::string_view text = call.text(0);
    if (text.empty() || text.size() % 4 != 0) return {};
    std::size_t size = text.size() / 4 * 3;
    char* out = call.evaluator.allocate(size);
    if (out == nullptr) return {};
    if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out), bytes(text), static_cast<int>(text.size())) <
        0)
        return {};
    return text_value({out, size - (text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0)});
}

// ---- digests

Value digest(FunctionCall& call, const EVP_MD* algorithm) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum;
    unsigned size = 0;
    std::string_view text = call.text(0);
    if (EVP_Digest(text.data(), text.size(), sum.data(), &size, algorithm, nullptr) != 1) return {};
    char* out = call.evaluator.allocate(2u * size);
    if (out == nullptr) return {};
    for (unsigned i = 0; i < size; ++i) {
        out[2 * i] = "0123456789abcdef"[sum[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
    }
    return text_value({out, 2u * size});
}

Value md5(FunctionCall& call) {
    return digest(call, EVP_md5());
}
Value sha1(FunctionCall& call) {
    return digest(call, EVP_sha1());
}
Value sha256(FunctionCall& call) {
    return digest(call, EVP_sha256());
}

// ---- time

Value time_now(FunctionCall& call) {
    return integer_value(call.environment.unix_time());
}

bool calendar(const Value& value, std::tm& out) {
    auto seconds = integer(value);
    if (!seconds || *seconds < -62'135'596'800 || *seconds > 253'402'300'799)
        return false;  // years 1 to 9999
    std::time_t time = *seconds;
    return gmtime_r(&time, &out) != nullptr;
}

// The date format of HTTP (RFC 9110 section 5.6.7), independent of the locale.
Value http_time(FunctionCall& call) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm tm{};
    if (!calendar(call.arguments[0], tm)) return {};
    char text[64];
    int size =
        std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
                      months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return call.evaluator.make_text({text, static_cast<std::size_t>(size)});
}

// $strftime(seconds, format): UTC, as strftime(3); at most 255 bytes.
Value format_time(FunctionCall& call) {
    std::tm tm{};
    std::string format(call.text(1).substr(0, 256));
    if (format.size() > 255 || !calendar(call.arguments[0], tm)) return {};
    char text[256];
    return call.evaluator.make_text({text, std::strftime(text, sizeof text, format.c_str(), &tm)});
}

// ---- lists and dictionaries

// $string_split(text[, separator]): at most 1000 parts.
Value split(FunctionCall& call) {
    std::string_view text = call.text(0);
    std::string_view separator = call.arguments.size() > 1 ? call.text(1) : " ";
    std::vector<Value> parts;
    while (!separator.empty() && parts.size() < 999) {
        std::size_t at = find_text(text, separator);
        if (at == std::string_view::npos) break;
        parts.push_back(text_value(text.substr(0, at)));
        text.remove_prefix(at + separator.size());
    }
    parts.push_back(text_value(text));
    return call.evaluator.make_list(parts);
}

Value join(FunctionCall& call) {
    const Value& list = call.arguments[0];
    std::string_view separator = call.arguments.size() > 1 ? call.text(1) : " ";
    if (list.kind != Value::Kind::list) return text_value(call.text(0));
    std::string out;
    for (const Value& item : list.items) {
        std::string_view text = call.evaluator.text(item);
        if (!call.evaluator.spend_on(text) || out.size() > 1u << 20) return {};
        if (&item != list.items.data()) out += separator;
        out += text;
    }
    return call.evaluator.make_text(out);
}

// $list_item(list, index[, default])
Value list_item(FunctionCall& call) {
    auto index = integer(call.arguments[1]);
    std::span<const Value> items = call.arguments[0].items;
    bool there = index && *index >= 0 && *index < static_cast<std::int64_t>(items.size());
    if (there) return items[static_cast<std::size_t>(*index)];
    return call.arguments.size() > 2 ? call.arguments[2] : Value{};
}

// $slice(list, from[, count])
Value slice(FunctionCall& call) {
    std::span<const Value> items = call.arguments[0].items;
    auto from = integer(call.arguments[1]);
    auto count =
        call.arguments.size() > 2 ? integer(call.arguments[2]) : std::optional<std::int64_t>(1 << 20);
    if (call.arguments[0].kind != Value::Kind::list || !from || !count) return {};
    auto size = static_cast<std::int64_t>(items.size());
    std::int64_t first = std::clamp<std::int64_t>(*from, 0, size);
    std::int64_t taken = std::clamp<std::int64_t>(*count, 0, size - first);
    return list_value(items.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(taken)));
}

Value in_list(FunctionCall& call) {
    std::string_view wanted = call.text(0);
    for (const Value& item : call.arguments[1].items) {
        if (!call.evaluator.spend_on({})) return {};
        if (call.evaluator.text(item) == wanted) return boolean_value(true);
    }
    for (const Pair& pair : call.arguments[1].pairs) {
        if (!call.evaluator.spend_on({})) return {};
        if (pair.key == wanted) return boolean_value(true);
    }
    return boolean_value(false);
}

Value keys(FunctionCall& call) {
    std::vector<Value> out;
    for (const Pair& pair : call.arguments[0].pairs) out.push_back(text_value(pair.key));
    return call.evaluator.make_list(out);
}

Value values(FunctionCall& call) {
    std::vector<Value> out;
    for (const Pair& pair : call.arguments[0].pairs) out.push_back(pair.value);
    return call.evaluator.make_list(out);
}

constexpr Function table[] = {
    {"lower", 1, 1, lower_case},
    {"upper", 1, 1, upper_case},
    {"len", 1, 1, length},
    {"substr", 2, 3, substring},
    {"index", 2, 2, index_of},
    {"rindex", 2, 2, last_index_of},
    {"starts_with", 2, 2, starts_with},
    {"ends_with", 2, 2, ends_with},
    {"strip", 1, 1, strip},
    {"lstrip", 1, 1, strip_left},
    {"rstrip", 1, 1, strip_right},
    {"replace", 3, 4, replace},
    {"int", 1, 1, to_integer},
    {"str", 1, 1, to_text},
    {"bool", 1, 1, to_boolean},
    {"exists", 1, 1, exists},
    {"is_empty", 1, 1, is_empty},
    {"default", 2, 2, default_value},
    {"dollar", 0, 0, dollar},
    {"squote", 0, 0, single_quote},
    {"dquote", 0, 0, double_quote},
    {"html_encode", 1, 1, html_encode},
    {"html_decode", 1, 1, html_decode},
    {"url_encode", 1, 1, url_encode},
    {"url_decode", 1, 1, url_decode},
    {"json_encode", 1, 1, json_encode},
    {"raw", 1, 1, raw},
    {"base64_encode", 1, 1, base64_encode},
    {"base64_decode", 1, 1, base64_decode},
    {"digest_md5_hex", 1, 1, md5},
    {"digest_sha1_hex", 1, 1, sha1},
    {"digest_sha256_hex", 1, 1, sha256},
    {"time", 0, 0, time_now},
    {"http_time", 1, 1, http_time},
    {"strftime", 2, 2, format_time},
    {"string_split", 1, 2, split},
    {"join", 1, 2, join},
    {"list_item", 2, 3, list_item},
    {"slice", 2, 3, slice},
    {"in", 2, 2, in_list},
    {"keys", 1, 1, keys},
    {"values", 1, 1, values},
};

}  // namespace

std::span<const Function> functions() {
    return table;
}

int function_index(std::string_view name) {
    for (std::size_t i = 0; i < std::size(table); ++i) {
        if (table[i].name == name) return static_cast<int>(i);
    }
    return -1;
}

}  // namespace larder::esi
