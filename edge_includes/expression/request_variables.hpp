// What the variables of ESI 1.0 say about a request. Internal to the engine.
#pragma once

#include <optional>
#include <string_view>

#include "edge_includes/expression/environment.hpp"
#include "edge_includes/expression/expression.hpp"
#include "edge_includes/expression/expression_bytes.hpp"

namespace larder::esi {

// `name` is a header's name for Variable::header; `key` what stood in braces. Not for Variable::named and
// of_host.
Value request_variable(Variable which, std::string_view name, std::optional<std::string_view> key,
                       Environment& environment, Evaluator& evaluator);

// False for headers that carry credentials: known names that never have a value, under any spelling.
bool is_readable_header(std::string_view name);

// The parts of a User-Agent that ESI 1.0 section 4.2 names. browser: MSIE, MOZILLA or OTHER; os: WIN, MAC,
// UNIX or OTHER.
std::string_view agent_browser(std::string_view agent);
std::string_view agent_version(std::string_view agent);  // "12.0", or "" if none
std::string_view agent_os(std::string_view agent);

// Whether an Accept-Language (RFC 9110 section 12.5.4) accepts `language`: "en" accepts by "en" and by
// "en-GB", not by q=0.
bool accepts_language(std::string_view header, std::string_view language);

// The raw value of the first argument of this (decoded) name in a query string; nothing if absent.
std::optional<std::string_view> query_argument(std::string_view query, std::string_view name);

}  // namespace larder::esi
