// An entry's verdict takes the purges since its fence into account.
#include "stored_entry.hpp"

#include "daemon/clock.hpp"

namespace larder::daemon {

std::optional<StoredEntry> read_stored_entry(Store& store, const std::string& key) {
    auto bytes = store.get(key);
    const char* why = nullptr;
    auto entry = bytes ? EntryView::parse(*bytes, &why) : std::nullopt;
    if (!entry) return std::nullopt;
    PurgeSeen purge = store.purges_since(entry->head().fence, purge_hashes(*entry));
    return StoredEntry{std::move(*bytes), judge(entry->head().life, purge.mark(), unix_ms()),
                       purge.mode != PurgeMode::none};
}

std::vector<std::uint64_t> purge_hashes(const EntryView& entry) {
    std::vector<std::uint64_t> hashes;
    each_purge_hash(entry, [&hashes](std::uint64_t hash) { hashes.push_back(hash); });
    return hashes;
}

}  // namespace larder::daemon
