// Reading the JSON body of a call, with errors that say what would be legal.
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

// An object that has none but these members. Throws BadBody.
nlohmann::json read_body(const std::string& text, const std::vector<std::string>& members);
// A list of texts; empty when there is none.
std::vector<std::string> read_texts(const nlohmann::json& body, const char* member);
// A text; `otherwise` when there is none.
std::string read_text(const nlohmann::json& body, const char* member, const std::string& otherwise);
// The list "urls", as pages.
std::vector<PageAddress> read_pages(const nlohmann::json& body);

}  // namespace larder::daemon
