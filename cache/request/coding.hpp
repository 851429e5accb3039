// Content codings: which one a client is to get, of those that the operator has the backend asked for (RFC 9110 section 12.5.3).
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace larder {

// The first of `supported` (lower case) that an Accept-Encoding field accepts: named with a weight above 0, or not named and "*"
// is. Empty: none, so the client gets the page as it is. "x-gzip" is gzip.
std::string_view choose_coding(std::string_view accept_encoding, std::span<const std::string> supported);

}  // namespace larder
