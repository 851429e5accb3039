// Compiles an answer's ESI for its entry, as nginx would.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cache/entry.hpp"
#include "cache/response/storable.hpp"
#include "edge_includes/compile.hpp"

namespace larder::daemon {

// For documents of this type.
esi::CompileOptions compile_options(const Policy& policy, std::string_view content_type);

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
