// Regular expressions of `matches`: PCRE2 with limits, so that no pattern and no subject can hold a worker.
// Internal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace larder::esi {

inline constexpr std::size_t max_groups = 16;

struct PatternWork {
    std::uint64_t most;      // units
    std::uint64_t used = 0;  // past `most`: it was given up, and there is no match
};

// Searches `pattern` in `subject`; both are bytes, not UTF-8. Returns the number of groups written (1 = the
// whole match), 0 for no match, an invalid pattern, or a limit. Patterns longer than 512 bytes are refused.
// Groups point into `subject`.
std::size_t match_pattern(std::string_view pattern, bool any_case, std::string_view subject,
                          std::array<std::string_view, max_groups>& groups, PatternWork& work);

}  // namespace larder::esi
