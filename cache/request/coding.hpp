// Negotiates content codings (RFC 9110 section 12.5.3). "x-gzip" counts as gzip.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace larder {

// The first of `supported` (lower-case names) that the Accept-Encoding field accepts: named with a weight above 0, or
// covered by such a "*". Empty: none, so the client gets the page uncompressed.
std::string_view choose_coding(std::string_view accept_encoding, std::span<const std::string> supported);

// The codings that the field names with a weight above 0, as a list in normalised form: lower case, sorted, without
// duplicates. "*" adds none. Empty if the field names more than 12, which no real client does.
std::string accepted_codings(std::string_view accept_encoding);

// Whether `accepted`, a list, contains every coding of a Content-Encoding list. False if that list is empty.
bool takes_codings(std::string_view accepted, std::string_view content_encoding);

}  // namespace larder
