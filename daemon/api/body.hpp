// Reads the JSON body of an API call. All functions throw BadBody, with a message that says what is legal.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/settings/address.hpp"

namespace larder::daemon {

class BadBody : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline constexpr std::size_t max_listed = 10'000;

// Parses an object. Members other than these are an error; each may be missing.
nlohmann::json read_body(const std::string& text, const std::vector<std::string>& members);
// A list of at most max_listed non-empty strings; empty if the member is missing.
std::vector<std::string> read_texts(const nlohmann::json& body, const char* member);
// A string; `otherwise` if the member is missing.
std::string read_text(const nlohmann::json& body, const char* member, const std::string& otherwise);
// The member "urls": a list of absolute http or https URLs.
std::vector<PageAddress> read_pages(const nlohmann::json& body);

}  // namespace larder::daemon
