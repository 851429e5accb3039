// Checks the credentials of API requests.
#pragma once

#include <string_view>

namespace larder::daemon {

// Whether the value of an Authorization field carries the token: as "Bearer TOKEN", or, for browsers, as "Basic ..." with the
// token as the password and any user. Always false for an empty token. The running time doesn't depend on how many bytes
// match.
bool is_authorized(std::string_view authorization, std::string_view token);

}  // namespace larder::daemon
