// Why an answer does not come from the cache, or does not go into it: one table for nginx and for larderd.
#pragma once

#include <cstdint>

namespace larder {

enum class Reason : std::uint8_t {
    none,
#define REASON(name, text) name,
#include "cache/reasons.def"
#undef REASON
};

inline constexpr const char* reason_texts[] = {
    "",
#define REASON(name, text) text,
#include "cache/reasons.def"
#undef REASON
};

// The word in Cache-Status and logs; empty for `none`.
constexpr const char* text_of(Reason reason) {
    return reason_texts[static_cast<std::uint8_t>(reason)];
}

}  // namespace larder
