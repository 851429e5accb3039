// Compiles the ESI of an answer into the plan of its entry, with the same result as in nginx.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cache/entry.hpp"
#include "cache/response/storable.hpp"
#include "edge_includes/compile.hpp"

namespace larder::daemon {

// The limits and the syntax for documents of this type. `content_type`: value of the Content-Type field; may be empty.
esi::CompileOptions compile_options(const Policy& policy, std::string_view content_type);

// Sets `plan` to the compiled body; to an empty string if the answer is not to be compiled or contains no ESI. Returns
// false, with the reason in `why`, when the document must be compiled and can't be: the answer must then not be stored.
bool compile_plan(const Storability& storability, const Policy& policy, std::string_view body,
                  std::string& plan, std::string& why);

// A named part of a page (<esi:inline>), to be stored as an entry of its own.
struct NamedPart {
    std::string key, entry;  // key as text, encoded entry
};
// The named parts of a page. `page`: complete, with its plan.
std::vector<NamedPart> named_parts(const EntryParts& page, const Storability& storability,
                                   const Policy& policy);

}  // namespace larder::daemon
