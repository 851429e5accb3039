// Negotiates a language from the operator's list: RFC 9110 section 12.5.4, by "lookup" (RFC 4647 section 3.4).
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace larder {

// The one of `supported` (lower-case tags, at least one; the first is the default) that the Accept-Language field
// prefers. Ranges are tried by quality, then in order, and each is shortened from its end until it matches a
// supported tag ("de-CH-1996", "de-CH", "de"). Ranges of quality 0, "*" and malformed elements match nothing. Only
// the first 32 ranges count.
// quality 0, "*" and malformed elements choose nothing. At most the first 32 ranges count.
std::string_view choose_language(std::string_view accept_language, std::span<const std::string> supported);

}  // namespace larder
