// Language negotiation to a list that the operator gives: RFC 9110 section 12.5.4, RFC 4647 section 3.4 ("lookup").
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace larder {

// Which of `supported` (lower-case tags, at least one; the first is the default) an Accept-Language field asks for: its ranges
// by quality, then by order, each shortened from its end until it names a supported tag ("de-CH-1996", "de-CH", "de"). Ranges with
// quality 0, "*" and malformed elements choose nothing. At most the first 32 ranges count.
std::string_view choose_language(std::string_view accept_language, std::span<const std::string> supported);

}  // namespace larder
