// A stored entry and what it is worth now.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/entry.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

struct StoredEntry {
    std::string bytes;  // checked: EntryView::trusted
    Verdict verdict = Verdict::dead;
    bool purged = false;  // since it was rendered
};

// Nothing when there is no entry, or none that can be believed.
std::optional<StoredEntry> read_stored_entry(Store& store, const std::string& key);

// The hashes that a purge of it would name.
std::vector<std::uint64_t> purge_hashes(const EntryView& entry);

}  // namespace larder::daemon
