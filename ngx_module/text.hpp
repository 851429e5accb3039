// Conversions between nginx's strings and C++ ones.
#pragma once

#include <charconv>
#include <string_view>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

inline std::string_view view(const ngx_str_t& text) {
    return {reinterpret_cast<const char*>(text.data), text.len};
}

// nginx's strings are not const, but nobody may write to the result.
inline ngx_str_t str(std::string_view text) {
    return {text.size(), reinterpret_cast<u_char*>(const_cast<char*>(text.data()))};
}

// A copy in the pool, terminated by a zero byte. Its data is null if out of memory.
inline ngx_str_t copy(ngx_pool_t* pool, std::string_view text) {
    ngx_str_t made{0, static_cast<u_char*>(ngx_pnalloc(pool, text.size() + 1))};
    if (made.data == nullptr) return made;
    ngx_memcpy(made.data, text.data(), text.size());
    made.data[text.size()] = '\0';  // some of nginx's parsers read it
    made.len = text.size();
    return made;
}

// The number in decimal, in the pool. Its data is null if out of memory.
inline ngx_str_t decimal(ngx_pool_t* pool, std::int64_t value) {
    char digits[24];
    auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    return copy(pool, {digits, static_cast<std::size_t>(end - digits)});
}

inline bool equals(const ngx_str_t& text, std::string_view lower) {
    return text.len == lower.size() &&
           ngx_strncasecmp(text.data, reinterpret_cast<u_char*>(const_cast<char*>(lower.data())), text.len) ==
               0;
}

// Unix time in milliseconds, as cached by nginx for this turn of the event loop.
inline std::int64_t now_ms() {
    const ngx_time_t* now = ngx_timeofday();
    return static_cast<std::int64_t>(now->sec) * 1000 + static_cast<std::int64_t>(now->msec);
}

}  // namespace larder::ngx
