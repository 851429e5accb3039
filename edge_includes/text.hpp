// Text helpers of the ESI engine: escaping, character references, numbers. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "edge_includes/expression/environment.hpp"

namespace larder::esi {

// The size of `text` once escaped; equal to text.size() exactly when escaping changes nothing.
std::size_t escaped_size(Escape escape, std::string_view text);

// Writes escaped_size() bytes at `out` and returns the end.
char* write_escaped(Escape escape, std::string_view text, char* out);

// Decodes &amp; &lt; &gt; &quot; &apos; and, into UTF-8, numeric character references. Everything else stays as it is. The
// result is never longer than `text`.
std::string decode_references(std::string_view text);

// Decodes %XX, and '+' into a space if `plus_is_space`; a '%' without two hexadecimal digits stays. Writes at most
// text.size() bytes at `out` and returns the end.
char* write_url_decoded(std::string_view text, bool plus_is_space, char* out);

// Parses a decimal integer: an optional minus sign and digits, within the range of int64. Returns nothing for other texts.
std::optional<std::int64_t> integer_of(std::string_view text);

// The same with an optional fraction: "1.5". No exponents, no "inf".
std::optional<double> decimal_of(std::string_view text);

// The first position of `part` in `text` at or after `from`, the last one, and the first one ignoring ASCII case; npos if
// there is none. The running time is linear in both sizes, whatever the bytes.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);
std::size_t find_last(std::string_view text, std::string_view part);
std::size_t find_any_case(std::string_view text, std::string_view part);

std::string_view trim(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
char lower(char c);
char upper(char c);
bool is_space(char c);  // white space of XML: space, tab, CR, LF
bool is_name_start(char c);
bool is_name(char c);
int hex_digit(char c);  // -1 if none

}  // namespace larder::esi
