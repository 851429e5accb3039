// Content codings: which one a client is to get, and which it takes (RFC 9110 section 12.5.3). "x-gzip" is gzip.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace larder {

// The first of `supported` (lower case) that an Accept-Encoding field accepts: named with a weight above 0, or not named and "*"
// is. Empty: none, so the client gets the page as it is.
std::string_view choose_coding(std::string_view accept_encoding, std::span<const std::string> supported);

// All codings that the field names with a weight above 0, in one spelling: lower case, in byte order, as a list. "*" names none.
// Empty as well for a field that names more than anybody's client does.
std::string accepted_codings(std::string_view accept_encoding);

// Whether each coding of a Content-Encoding list stands in the list of accepted ones. Not for a list that names none.
bool takes_codings(std::string_view accepted, std::string_view content_encoding);

}  // namespace larder
