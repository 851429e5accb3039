// Parameters of a query string in application/x-www-form-urlencoded form.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace larder::daemon {

// The value of the first parameter with this name, decoded: "%41" is "A", "+" is a space, a malformed escape stays as it is.
// Nothing if there is no such parameter.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

}  // namespace larder::daemon
