// The HTTP server of the API: who may ask, and where handlers hang. What they do is elsewhere.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/live_settings.hpp"

namespace larder::daemon {

struct ApiRequest {
    std::string path;
    std::string query;                          // as sent, without '?'
    std::map<std::string, std::string> params;  // of the query, decoded; the first of a name counts
    std::string body;                           // of a POST: JSON
};

struct ApiAnswer {
    int status = 200;
    std::string body;
    std::string type = "application/json";
};

using ApiHandler = std::function<ApiAnswer(const ApiRequest&)>;

// Compares without telling by its time where the first difference is.
bool same_secret(std::string_view given, std::string_view wanted);

// Whether an Authorization header carries the token: "Bearer TOKEN", or "Basic ..." with the token as password, for browsers.
bool is_authorized(std::string_view authorization, std::string_view token);

class ApiServer {
public:
    explicit ApiServer(const LiveSettings& settings);
    ~ApiServer();

    // Register before listen(). A handler may throw: 500. POST bodies must be application/json, so that no page of another
    // site can make a browser send one.
    void get(const std::string& path, ApiHandler handler);
    void post(const std::string& path, ApiHandler handler);

    // Answers from now on, on threads of its own. Throws std::runtime_error when it can't listen.
    void listen();
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace larder::daemon
