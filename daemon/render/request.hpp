// Builds the request that a backend gets for a variant: exactly what the key covers, and nothing else of any visitor.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/response/policy.hpp"
#include "cache/request/variant.hpp"
#include "daemon/settings/settings.hpp"

namespace larder::daemon {

struct BackendRequest {
    std::string origin;                                       // "http://HOST:PORT" or "https://HOST:PORT"
    std::string socket_path;                                  // of a unix socket to connect to; empty: TCP
    std::string connect_to;                                   // "::ADDRESS:PORT" to connect to; empty: the origin
    std::string body;                                         // makes it a POST; empty: a GET
    std::string target;                                       // request target as on the wire
    std::vector<std::pair<std::string, std::string>> fields;  // all header fields in order, Host included
    std::chrono::milliseconds timeout{0};
    std::size_t max_body = 0;  // longest body of an answer in bytes; a longer one is an error
};

// The first [[backend]] with a pattern that matches `host`; nullptr if there is none. Valid as long as `settings`.
const BackendSettings* backend_for(const Settings& settings, std::string_view host);

// The request for the variant. Returns nothing, with the reason in *why, for a variant that can't be rendered without its
// visitor or outside of nginx, whose method is not GET, that has a signed cookie while signing.key is empty, or that has a
// header which would frame or route the message. `now_s`: Unix time, for signatures.
std::optional<BackendRequest> backend_request(const Variant& variant, const Policy& policy,
                                              const BackendSettings& backend, const SigningSettings& signing,
                                              std::int64_t now_s, const char** why);

}  // namespace larder::daemon
