// A request to the API and the answer to it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace larder::daemon {

struct ApiRequest {
    std::string method;
    std::string path;           // as sent
    std::string query;          // as sent, without '?'
    std::string authorization;  // value of the field; empty: none
    std::string content_type;
    std::string body;
};

struct ApiAnswer {
    int status = 200;
    std::string body;
    std::string type = "application/json";
    std::vector<std::pair<std::string, std::string>> fields{};  // further ones
    std::string reason{};  // phrase of the status line; empty: the usual one
};

using ApiHandler = std::function<ApiAnswer(const ApiRequest&)>;

// An answer of that status with {"error": text}.
ApiAnswer api_error(int status, const std::string& text);

}  // namespace larder::daemon
