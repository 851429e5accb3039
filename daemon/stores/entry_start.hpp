// Reads the head and the variant of a stored entry without its body: this suffices to render the page again.
#pragma once

#include <optional>
#include <string>

#include "cache/entry.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

struct EntryStart {
    EntryHead head{};
    std::string variant;  // encoded; well-formed; its hash is the key
};

// nullopt: no entry, or an invalid one. Checksums are not checked, as they cover parts that are not read.
std::optional<EntryStart> read_entry_start(Store& store, const std::string& key);

}  // namespace larder::daemon
