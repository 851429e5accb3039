// larderctl's HTTP client for larderd's API.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace larder::ctl {

// The daemon can't be reached or has refused the call; what() is a message for the user.
class CallFailed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class Client {
public:
    // `api`: HOST:PORT or unix:/PATH. Throws CallFailed for anything else.
    Client(const std::string& api, std::string token);

    // Return the parsed JSON body of a 2xx response. Throw CallFailed for every other outcome.
    nlohmann::json get(const std::string& path_and_query) const;
    nlohmann::json post(const std::string& path, const nlohmann::json& body) const;

private:
    nlohmann::json call(const std::string& target, const std::string* body) const;  // no body: GET, else POST

    std::string api_;
    std::string token_;
};

// Percent-encodes all but unreserved characters (RFC 3986 section 2.3).
std::string percent_encoded(const std::string& text);

// The texts with all bytes but ASCII percent-encoded, as tags and URLs are kept; JSON could not hold what is no UTF-8.
std::vector<std::string> in_ascii(const std::vector<std::string>& texts);

}  // namespace larder::ctl
