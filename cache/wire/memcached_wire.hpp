// memcached's text protocol without I/O: parses replies and writes commands (memcached's doc/protocol.txt, "Storage
// commands" and "Retrieval command"; one key per get).
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
    // A value of more than `max_value` bytes counts as a protocol error.
    explicit MemcachedReader(std::size_t max_value) : max_value_(max_value) {}

    void feed(std::string_view bytes);

    enum class Next : std::uint8_t { reply, need_more, broken };
    // broken: the input is not memcached's protocol, so the connection can't be used any more.
    Next next(MemcachedReply& reply);

private:
    Next take_value(std::string_view line, std::size_t line_end, MemcachedReply& reply);

    std::string buffer_;
    std::size_t at_ = 0;
    std::size_t max_value_;
};

// These append a command to `out`. The caller ensures that keys have at most 250 bytes, without spaces and control
// characters.
void memcached_get(std::string& out, std::string_view key);
// `verb`: set, add or append. `ttl_s`: seconds if at most 30 days, Unix time if more, 0 for ever.
void memcached_store(std::string& out, std::string_view verb, std::string_view key, std::int64_t ttl_s,
                     std::string_view value, std::string_view value_rest = {});
void memcached_delete(std::string& out, std::string_view key);

// memcached's expiry for a lifetime of `ttl_ms` that begins at `now_ms`; at least one second.
std::int64_t memcached_expiry(std::int64_t ttl_ms, std::int64_t now_ms);

}  // namespace larder
