// Any bytes as an entry, unchanged and with correct checksums (without which nearly all inputs are refused early). The
// entry is refused with a reason, or building an entry from its parts gives the same bytes.
#include <cstdint>
#include <cstring>

#include "cache/entry.hpp"
#include "cache/response/verdict.hpp"
#include "tests/fuzz/expect.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace larder;

namespace {

void examine(std::string_view bytes) {
    const char* why = nullptr;
    auto entry = EntryView::parse(bytes, &why);
    EXPECT(entry.has_value() == (why == nullptr));
    if (!entry) return;
    const EntryHead& head = entry->head();
    EntryParts parts{.status = head.status,
                     .render_ms = head.render_ms,
                     .created_ms = head.created_ms,
                     .life = head.life,
                     .fence = head.fence,
                     .variant = entry->variant(),
                     .tags = {},
                     .headers = {},
                     .plan = entry->plan(),
                     .body = entry->body()};
    entry->each_tag([&](std::string_view tag) { parts.tags.push_back(tag); });
    entry->each_header([&](std::string_view name, std::string_view value) {
        EXPECT(!name.empty() && value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
        parts.headers.push_back({name, value});
    });
    EXPECT(parts.tags.size() <= max_entry_tags && parts.headers.size() <= max_entry_headers);
    std::size_t hashes = 0;
    each_purge_hash(*entry, [&](std::uint64_t) { hashes++; });
    EXPECT(hashes == parts.tags.size() + 1);
    judge(head.life, {PurgeMode::soft, head.created_ms}, head.life.dead_at_ms());
    entry->each_steering([&](std::string_view name, std::string_view value) { parts.steering.push_back({name, value}); });
    entry->each_vary([&](std::string_view name) { parts.vary.emplace_back(name); });
    parts.kind = entry->kind();
    EXPECT(build_entry(parts) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string bytes(reinterpret_cast<const char*>(data), size);
    examine(bytes);
    EntryHead head;
    if (size < sizeof head) return 0;
    std::memcpy(&head, bytes.data(), sizeof head);
    // Sets the correct checksums, as an attacker would.
    head.magic = entry_magic;
    head.version = entry_version;
    std::uint64_t rest = size - sizeof head;
    std::uint64_t meta =
        std::uint64_t{head.variant_size} + head.tags_size + head.headers_size + head.steering_size +
                         head.vary_size + head.plan_size;
    if (meta <= rest) {
        head.body_size = rest - meta;
        head.body_checksum = XXH3_64bits(bytes.data() + sizeof head + meta, head.body_size);
        head.meta_checksum = XXH3_64bits_withSeed(bytes.data() + sizeof head, meta,
                                                  XXH3_64bits(&head, offsetof(EntryHead, meta_checksum)));
    }
    std::memcpy(bytes.data(), &head, sizeof head);
    examine(bytes);
    return 0;
}
