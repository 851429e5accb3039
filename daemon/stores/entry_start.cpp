// Reads nearly all heads in one round trip; an entry with a long variant needs a second one.
#include "entry_start.hpp"

#include <cstring>

#include "cache/request/key.hpp"
#include "cache/request/variant.hpp"

namespace larder::daemon {

namespace {
constexpr std::size_t usual_start = sizeof(EntryHead) + 512;
}

std::optional<EntryStart> read_entry_start(Store& store, const std::string& key) {
    auto bytes = store.get_start(key, usual_start);
    if (!bytes || bytes->size() < sizeof(EntryHead)) return std::nullopt;
    EntryStart start;
    std::memcpy(&start.head, bytes->data(), sizeof start.head);
    std::size_t size = sizeof(EntryHead) + start.head.variant_size;
    if (start.head.magic != entry_magic || start.head.version != entry_version ||
        start.head.variant_size > max_variant_bytes)
        return std::nullopt;
    if (bytes->size() < size) bytes = store.get_start(key, size);
    if (!bytes || bytes->size() < size) return std::nullopt;
    start.variant = bytes->substr(sizeof(EntryHead), start.head.variant_size);
    const char* why = nullptr;
    if (!Variant::parse(start.variant, &why) || key_of(start.variant).text() != key) return std::nullopt;
    return start;
}

}  // namespace larder::daemon
