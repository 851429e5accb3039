// The format of packed expressions: node codes, and bounds-checked reading. Internal to the engine.
//
// A node is a code, its own data, then its operands (prefix order). Operands that may be skipped at run time (the right
// side of & and |, keys, defaults) are preceded by their length.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "edge_includes/expression/environment.hpp"

namespace larder::esi {

static_assert(std::endian::native == std::endian::little, "plans are read in place");

enum class Node : std::uint8_t {
    text = 1,    // u32 length, bytes
    integer,     // i64
    boolean,     // u8 0 or 1
    variable,    // u8 Variable, u8 name length, name, u32 length, key, u32 length, default (length 0: none)
    call,        // u8 index in the function table, u8 argument count, arguments
    host_call,   // u8 name length, name, u8 argument count, arguments
    list,        // u16 count, items
    dictionary,  // u16 count, key and value alternating
    range,       // from, to
    concat,      // u16 count, parts
    escape,      // u8 Escape, operand
    negate,      // operand: !
    both,        // u32 length of the right side, left, right: &
    either,      // the same: |
    equal,
    unequal,
    less,
    less_equal,
    greater,
    greater_equal,
    matches,
    matches_any_case,
    has,
    has_any_case,
    add,
    subtract,
    multiply,
    divide,
    remainder,
    last_ = remainder
};

enum class Variable : std::uint8_t {
    named,  // assigned in the document
    cookie,
    query_string,
    host,
    accept_language,
    user_agent,
    header,
    remote_address,
    method,
    path,
    scheme,
    denied,   // a header with credentials: always undefined
    of_host,  // provided by the host, unless assigned in the document
    last_ = of_host
};

inline constexpr unsigned expression_max_depth = 32;
inline constexpr std::size_t expression_max_bytes = 16384;

template <typename Integer>
void put(std::string& out, Integer value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out.append(raw, sizeof value);
}

template <typename Integer>
Integer get(const char* at) {
    Integer value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// Reads with bounds checks. Past the end it returns zeros and empty texts, and ok() becomes false.
class NodeReader {
public:
    explicit NodeReader(std::string_view bytes) : rest_(bytes) {}

    template <typename Integer>
    Integer take() {
        std::string_view raw = bytes(sizeof(Integer));
        return raw.size() == sizeof(Integer) ? get<Integer>(raw.data()) : Integer{};
    }
    std::string_view bytes(std::size_t count) {
        if (count > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    Node node() { return static_cast<Node>(take<std::uint8_t>()); }
    std::string_view name() { return bytes(take<std::uint8_t>()); }
    std::string_view sized() { return bytes(take<std::uint32_t>()); }
    std::size_t left() const { return rest_.size(); }
    bool ok() const { return ok_; }

private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace larder::esi
