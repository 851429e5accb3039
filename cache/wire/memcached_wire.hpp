// memcached's text protocol without sockets: bytes in, replies out (memcached's doc/protocol.txt, "Storage commands" and
// "Retrieval command"; one key per get).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace larder {

struct MemcachedReply {
    enum class Kind : std::uint8_t {
        value,    // a hit; `text` is the value
        miss,     // END without VALUE, NOT_FOUND
        done,     // STORED, DELETED, TOUCHED, OK, VERSION ...
        refused,  // NOT_STORED, EXISTS
        error,    // ERROR, CLIENT_ERROR, SERVER_ERROR; `text` is the line
    };
    Kind kind = Kind::error;
    std::string_view text;  // valid until the next call of the reader
};

class MemcachedReader {
public:
    // A value longer than `max_value` bytes is a protocol error.
    explicit MemcachedReader(std::size_t max_value) : max_value_(max_value) {}

    void feed(std::string_view bytes);

    enum class Next : std::uint8_t { reply, need_more, broken };
    // `broken`: what came is not memcached's protocol; the connection is of no more use.
    Next next(MemcachedReply& reply);

private:
    Next take_value(std::string_view line, std::size_t line_end, MemcachedReply& reply);

    std::string buffer_;
    std::size_t at_ = 0;
    std::size_t max_value_;
};

// Commands, appended to `out`. Keys are at most 250 bytes without spaces or control characters: the caller's to ensure.
void memcached_get(std::string& out, std::string_view key);
// `verb`: set, add, or append. `ttl_s`: relative seconds up to 30 days, Unix time beyond, 0 for ever.
void memcached_store(std::string& out, std::string_view verb, std::string_view key, std::int64_t ttl_s,
                     std::string_view value, std::string_view value_rest = {});
void memcached_delete(std::string& out, std::string_view key);

// What memcached wants as expiry for a lifetime of `ttl_ms` from `now_ms`: at least one second.
std::int64_t memcached_expiry(std::int64_t ttl_ms, std::int64_t now_ms);

}  // namespace larder
