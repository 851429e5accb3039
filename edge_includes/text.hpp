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

// &amp; &lt; &gt; &quot; &apos; and numeric references as UTF-8; anything else stays. Never longer than
// `text`.
std::string decode_references(std::string_view text);

// %XX, and '+' as space if `plus_is_space`; a % without two digits stays. Writes at most text.size() bytes,
// returns the end.
char* write_url_decoded(std::string_view text, bool plus_is_space, char* out);

// A whole optional minus sign and digits within the range of int64, otherwise nothing.
std::optional<std::int64_t> integer_of(std::string_view text);

// The same with an optional fraction: "1.5". No exponents, no "inf".
std::optional<double> decimal_of(std::string_view text);

// Where `part` stands in `text`, from `from` on; npos if nowhere. Time is linear in both, whatever they hold.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);
std::size_t find_last(std::string_view text, std::string_view part);
std::size_t find_any_case(std::string_view text, std::string_view part);

std::string_view trim(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
char lower(char c);
char upper(char c);
bool is_space(char c);  // XML's: space, tab, CR, LF
bool is_name_start(char c);
bool is_name(char c);
int hex_digit(char c);  // -1 if none

}  // namespace larder::esi
