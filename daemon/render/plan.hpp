// Compiles an answer's ESI for its entry, as nginx would.
#pragma once

#include <string>
#include <string_view>

#include "cache/response/storable.hpp"

namespace larder::daemon {

// The plan for the entry; empty when the body holds no ESI. False, and the reason in *why, when a document that must be
// compiled cannot be: such an answer isn't stored.
bool compile_plan(const Storability& storability, const Policy& policy, std::string_view body,
                  std::string& plan, std::string& why);

}  // namespace larder::daemon
