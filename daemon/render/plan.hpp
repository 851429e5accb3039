// Compiles an answer's ESI for its entry, as nginx would.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cache/entry.hpp"
#include "cache/response/storable.hpp"

namespace larder::daemon {

// The plan for the entry; empty when the body holds no ESI. False, and the reason in *why, when a document that must be
// compiled cannot be: such an answer isn't stored.
bool compile_plan(const Storability& storability, const Policy& policy, std::string_view body,
                  std::string& plan, std::string& why);

// A named part of a page (<esi:inline>), to be stored beside it.
struct NamedPart {
    std::string key, entry;
};
std::vector<NamedPart> named_parts(const EntryParts& page, const Storability& storability,
                                   const Policy& policy);

}  // namespace larder::daemon
