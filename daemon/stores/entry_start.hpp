// The head and variant of a stored entry, without its body: enough to know what it is and to have it made again.
#pragma once

#include <optional>
#include <string>

#include "cache/entry.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

struct EntryStart {
    EntryHead head{};
    std::string variant;  // encoded, well-formed, and the one that the key is of
};

// Nothing when there is no entry, or none that can be believed. Its checksums are not checked: they cover what isn't read.
std::optional<EntryStart> read_entry_start(Store& store, const std::string& key);

}  // namespace larder::daemon
