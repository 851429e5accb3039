// The API's routes, and who may use them. What the handlers do is elsewhere, and so is HTTP.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/api/http_server.hpp"
#include "daemon/api/message.hpp"
#include "daemon/listener.hpp"
#include "daemon/live_settings.hpp"

namespace larder::daemon {

class ApiServer {
public:
    explicit ApiServer(const LiveSettings& settings) : settings_(settings) {}

    // Register before listen(). A handler may throw: 500. HEAD is answered as GET, without the body. POST bodies must be
    // application/json, so that no page of another site can make a browser send one.
    void get(const std::string& path, ApiHandler handler);
    void post(const std::string& path, ApiHandler handler);
    // A health check: it must not block, so that it is answered however busy the others are. Load balancers ask with OPTIONS, too.
    void check(const std::string& path, ApiHandler handler);

    // What can be said of a request without its body: who may not ask, what there isn't, health checks. Nothing: go on.
    std::optional<ApiAnswer> admit(const ApiRequest& head) const;

    // Answers from now on. Throws std::runtime_error when it can't listen.
    void listen();

private:
    struct Route {
        ApiHandler get, post, check;
        std::string methods() const;  // those allowed
    };

    ApiAnswer answer(const ApiRequest& request) const;

    const LiveSettings& settings_;
    std::map<std::string, Route, std::less<>> routes_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<HttpServer> http_;  // last: it uses all the others
};

}  // namespace larder::daemon
