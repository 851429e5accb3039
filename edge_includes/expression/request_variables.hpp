// The values of ESI's request variables (ESI 1.0 section 4.2). Internal to the engine.
#pragma once

#include <optional>
#include <string_view>

#include "edge_includes/expression/environment.hpp"
#include "edge_includes/expression/expression.hpp"
#include "edge_includes/expression/expression_bytes.hpp"

namespace larder::esi {

// The value of a request variable. `name`: the header's name, for Variable::header. `key`: the text in braces, if any.
// Precondition: `which` is neither Variable::named nor of_host.
Value request_variable(Variable which, std::string_view name, std::optional<std::string_view> key,
                       Environment& environment, Evaluator& evaluator);

// False for headers with credentials, whose variables are always undefined. Ignores case.
bool is_readable_header(std::string_view name);

// The parts of a User-Agent by ESI 1.0 section 4.2. Browser: MSIE, MOZILLA or OTHER. OS: WIN, MAC, UNIX or OTHER.
std::string_view agent_browser(std::string_view agent);
std::string_view agent_version(std::string_view agent);  // "12.0", or "" if none
std::string_view agent_os(std::string_view agent);

// Whether an Accept-Language field (RFC 9110 section 12.5.4) accepts `language`: the ranges "en" and "en-GB" both accept
// "en", unless they have q=0.
bool accepts_language(std::string_view header, std::string_view language);

// The value, not decoded, of the first argument in a query string whose decoded name is `name`; nothing if there is none.
std::optional<std::string_view> query_argument(std::string_view query, std::string_view name);

}  // namespace larder::esi
