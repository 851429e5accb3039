// Formats the API's answers as text for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace larder::ctl {

std::string status_text(const nlohmann::json& status);
std::string explain_text(const nlohmann::json& explanation);
std::string replicas_text(const nlohmann::json& replicas);

}  // namespace larder::ctl
