// Reads a stored entry and judges whether it is fresh.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/entry.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

struct StoredEntry {
    std::string bytes;  // checked by EntryView::parse; may be read by EntryView::trusted
    Verdict verdict = Verdict::dead;
    bool purged = false;  // since its fence
};

// nullopt: no entry, or an invalid one. Throws if the store can't be reached.
std::optional<StoredEntry> read_stored_entry(Store& store, const std::string& key);

// The hashes of the entry's tags and URL, under which purges find it.
std::vector<std::uint64_t> purge_hashes(const EntryView& entry);

}  // namespace larder::daemon
