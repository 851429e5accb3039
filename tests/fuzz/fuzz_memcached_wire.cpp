// Any bytes from a memcached server: the replies are the same whether the bytes come at once or in chunks. The first byte
// of the input determines the chunks.
#include <cstdint>
#include <string>
#include <vector>

#include "cache/wire/memcached_wire.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder;

namespace {

constexpr std::size_t max_value = 1000;

struct Outcome {
    std::vector<std::string> replies;
    bool broken = false;
    bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view bytes, std::size_t chunk) {
    Outcome outcome;
    MemcachedReader reader(max_value);
    do {
        // A copy of exactly these bytes, so that the address sanitizer detects reads beyond them.
        std::vector<char> piece(bytes.begin(),
                                bytes.begin() + static_cast<std::ptrdiff_t>(std::min(chunk, bytes.size())));
        reader.feed({piece.data(), piece.size()});
        bytes.remove_prefix(piece.size());
        MemcachedReply reply;
        MemcachedReader::Next next;
        while ((next = reader.next(reply)) == MemcachedReader::Next::reply) {
            EXPECT(reply.kind != MemcachedReply::Kind::value || reply.text.size() <= max_value);
            outcome.replies.push_back(std::to_string(static_cast<int>(reply.kind)).append(reply.text));
        }
        outcome.broken = next == MemcachedReader::Next::broken;
    } while (!bytes.empty() && !outcome.broken);
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    Outcome whole = read(bytes, bytes.size() + 1);
    EXPECT(read(bytes, data[0] + 1u) == whole);
    EXPECT(read(bytes, 1) == whole);

    // A server's reply with these bytes as a value is read back completely, and nothing is left over.
    std::string_view value = bytes.substr(0, max_value);
    std::string stored =
        "VALUE k 0 " + std::to_string(value.size()) + "\r\n" + std::string(value) + "\r\nEND\r\nSTORED\r\n";
    Outcome outcome = read(stored, data[0] + 1u);
    EXPECT(!outcome.broken && outcome.replies.size() == 2 && outcome.replies[0].substr(1) == value);
    return 0;
}
