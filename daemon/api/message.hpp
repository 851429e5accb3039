// A request to the API and the answer to it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace larder::daemon {

struct ApiRequest {
    std::string method;
    std::string path;           // as sent, not decoded
    std::string query;          // as sent, not decoded, without '?'
    std::string authorization;  // value of the Authorization field; empty: none
    std::string content_type;
    std::string body;
};

struct ApiAnswer {
    int status = 200;
    std::string body;
    std::string type = "application/json";
    std::vector<std::pair<std::string, std::string>> fields{};  // additional header fields
    std::string reason{};  // reason phrase of the status line; empty: the standard one
};

using ApiHandler = std::function<ApiAnswer(const ApiRequest&)>;

// An answer with the JSON body {"error": text}.
ApiAnswer api_error(int status, const std::string& text);

}  // namespace larder::daemon
