// The reader checks every length that the server states.
#include "cache/wire/memcached_wire.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace larder {

namespace {

constexpr std::size_t max_line = 2048;

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

MemcachedReply::Kind kind_of(std::string_view line) {
    using Kind = MemcachedReply::Kind;
    if (line == "END" || line == "NOT_FOUND") return Kind::miss;
    if (line == "STORED" || line == "DELETED" || line == "TOUCHED" || line == "OK" ||
        starts_with(line, "VERSION "))
        return Kind::done;
    if (line == "NOT_STORED" || line == "EXISTS") return Kind::refused;
    return Kind::error;
}

// Removes the text before the first space, and the space, and returns the text.
std::string_view take_field(std::string_view& line) {
    std::string_view field = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(line.size(), field.size() + 1));
    return field;
}

std::optional<std::size_t> parse_number(std::string_view text) {
    std::size_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

void MemcachedReader::feed(std::string_view bytes) {
    if (at_ != 0) {
        buffer_.erase(0, at_);
        at_ = 0;
    }
    buffer_.append(bytes);
}

MemcachedReader::Next MemcachedReader::next(MemcachedReply& reply) {
    std::string_view rest = std::string_view(buffer_).substr(at_);
    auto end = rest.find("\r\n");
    if (end == std::string_view::npos && rest.size() <= max_line + 1) return Next::need_more;
    if (end > max_line) return Next::broken;  // also if end is npos
    std::string_view line = rest.substr(0, end);
    if (starts_with(line, "VALUE ")) return take_value(line, end + 2, reply);
    reply.kind = kind_of(line);
    reply.text = line;
    if (reply.kind == MemcachedReply::Kind::error && !starts_with(line, "ERROR") &&
        !starts_with(line, "CLIENT_ERROR") && !starts_with(line, "SERVER_ERROR")) {
        return Next::broken;
    }
    at_ += end + 2;
    return Next::reply;
}

// VALUE <key> <flags> <bytes>\r\n<data>\r\nEND\r\n
MemcachedReader::Next MemcachedReader::take_value(std::string_view line, std::size_t line_end,
                                                  MemcachedReply& reply) {
    std::string_view fields = line.substr(line.find(' ') + 1);
    std::string_view key = take_field(fields);
    auto flags = parse_number(take_field(fields));
    auto announced = parse_number(fields);
    if (key.empty() || !flags || !announced || *announced > max_value_) return Next::broken;
    std::size_t size = *announced;
    constexpr std::string_view tail = "\r\nEND\r\n";
    std::string_view rest = std::string_view(buffer_).substr(at_);
    if (rest.size() - line_end < size + tail.size()) return Next::need_more;
    if (rest.substr(line_end + size, tail.size()) != tail) return Next::broken;
    reply.kind = MemcachedReply::Kind::value;
    reply.text = rest.substr(line_end, size);
    at_ += line_end + size + tail.size();
    return Next::reply;
}

void memcached_get(std::string& out, std::string_view key) {
    out.append("get ").append(key).append("\r\n");
}

void memcached_store(std::string& out, std::string_view verb, std::string_view key, std::int64_t ttl_s,
                     std::string_view value, std::string_view value_rest) {
    out.append(verb).append(" ").append(key).append(" 0 ").append(std::to_string(ttl_s)).append(" ");
    out.append(std::to_string(value.size() + value_rest.size()))
        .append("\r\n")
        .append(value)
        .append(value_rest)
        .append("\r\n");
}

void memcached_delete(std::string& out, std::string_view key) {
    out.append("delete ").append(key).append("\r\n");
}

std::int64_t memcached_expiry(std::int64_t ttl_ms, std::int64_t now_ms) {
    constexpr std::int64_t longest_relative_s = 30LL * 86400;
    std::int64_t ttl_s = ttl_ms / 1000 + (ttl_ms % 1000 > 0 ? 1 : 0);
    if (ttl_s < 1) return 1;
    return ttl_s <= longest_relative_s ? ttl_s : now_ms / 1000 + ttl_s;
}

}  // namespace larder
