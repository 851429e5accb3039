// Who may ask.
#pragma once

#include <string_view>

namespace larder::daemon {

// Whether an Authorization field carries the token: "Bearer TOKEN", or "Basic ..." with the token as password, for browsers.
// An empty token admits nobody. The time it takes does not tell how much of a wrong secret is right.
bool is_authorized(std::string_view authorization, std::string_view token);

}  // namespace larder::daemon
