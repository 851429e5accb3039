// Bounded reading and writing of little-endian integers and texts. All of Larder's binary formats use it.
//
// In descriptions of formats, textN is a length of N bits (16 or 32), followed by that many bytes. All integers are
// little-endian.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace larder {

static_assert(std::endian::native == std::endian::little, "stored formats are read and written in place");

// Appends to a string of the caller.
class ByteWriter {
public:
    explicit ByteWriter(std::string& out) : out_(out) {}

    template <typename Integer>
    void integer(Integer value) {
        static_assert(std::is_integral_v<Integer>);
        char raw[sizeof value];
        std::memcpy(raw, &value, sizeof value);
        out_.append(raw, sizeof value);
    }

    // Precondition: the text has at most 65,535 bytes (text16) or fewer than 2^32 (text32). It is not checked here.
    void text16(std::string_view text) {
        integer(static_cast<std::uint16_t>(text.size()));
        out_.append(text);
    }
    void text32(std::string_view text) {
        integer(static_cast<std::uint32_t>(text.size()));
        out_.append(text);
    }

private:
    std::string& out_;
};

// Reads from bytes that the caller keeps alive; returned views refer to them. After a read past the end, every read
// returns 0 or an empty view, and ok() is false. So it suffices to check once, at the end.
class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    template <typename Integer>
    Integer integer() {
        static_assert(std::is_integral_v<Integer>);
        Integer value{};
        std::string_view raw = take(sizeof value);
        if (raw.size() == sizeof value) std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }

    std::string_view text16() { return take(integer<std::uint16_t>()); }
    std::string_view text32() { return take(integer<std::uint32_t>()); }

    std::string_view take(std::size_t count) {
        if (!ok_ || count > rest_.size()) {
            ok_ = false;
            return {};
        }
        std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }

    bool ok() const { return ok_; }
    bool at_end() const { return ok_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace larder
