// Regular expressions, for the operator `matches`, with limits: no pattern and no subject can block a worker. Internal to
// the engine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace larder::esi {

inline constexpr std::size_t max_groups = 16;

struct PatternWork {
    std::uint64_t most;      // limit, in the units of budget.hpp
    std::uint64_t used = 0;  // if above `most`, the match was aborted
};

// Searches `subject` for `pattern`; both are bytes, not UTF-8. Returns the number of groups written, the first of which is
// the whole match. Returns 0 if there is no match, the pattern is invalid or longer than 512 bytes, or the limit was
// exceeded. Groups point into `subject`.
std::size_t match_pattern(std::string_view pattern, bool any_case, std::string_view subject,
                          std::array<std::string_view, max_groups>& groups, PatternWork& work);

}  // namespace larder::esi
