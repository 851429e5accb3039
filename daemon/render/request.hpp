// The request that the backend gets for a variant: exactly what the key holds, and nothing of any visitor.
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
    std::string origin;                                       // "http://host:port"
    std::string socket_path;                                  // instead of TCP, unless empty
    std::string connect_to;                                   // "::ADDRESS:PORT" in the origin's place, unless empty
    std::string body;                                         // of a POST; empty: it is a GET
    std::string target;                                       // request target as on the wire
    std::vector<std::pair<std::string, std::string>> fields;  // in order; every field there is, Host included
    std::chrono::milliseconds timeout{0};
    std::size_t max_body = 0;  // bytes; a longer answer is an error
};

// The first backend that renders pages of `host`; nullptr when none does.
const BackendSettings* backend_for(const Settings& settings, std::string_view host);

// Nothing, and the reason in *why, for a variant that no client of ours makes: another method than GET, or a kept header
// that would frame or route the message.
std::optional<BackendRequest> backend_request(const Variant& variant, const Policy& policy,
                                              const BackendSettings& backend, const SigningSettings& signing,
                                              std::int64_t now_s, const char** why);

}  // namespace larder::daemon
