// Parameters of a query, as forms and curl's --data-urlencode write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace larder::daemon {

// The first parameter of that name, decoded ("%41" and "+"); what is no escape is left as it is. Nothing: there is none.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

}  // namespace larder::daemon
