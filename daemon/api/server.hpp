// The API's routes and their access control. calls.hpp has the handlers, http_server.hpp speaks HTTP.
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

    // Register handlers before listen(). A handler that throws makes the answer a 500. A get() handler also answers HEAD.
    // POST needs Content-Type: application/json, which a page of another site can't make a browser send without a CORS
    // preflight.
    void get(const std::string& path, ApiHandler handler);
    void post(const std::string& path, ApiHandler handler);
    // Registers a health check. It answers GET, HEAD and, as some load balancers use it, OPTIONS. It runs on the server's
    // I/O thread, so that busy handlers don't delay it: it must not block.
    void check(const std::string& path, ApiHandler handler);

    // Judges a request by its header section alone. Returns the answer if it is a refusal (credentials, path, method,
    // type) or a health check; nothing if the body is to be read and the handler called.
    std::optional<ApiAnswer> admit(const ApiRequest& head) const;

    // Starts to serve. Throws std::runtime_error when it can't listen.
    void listen();

private:
    struct Route {
        ApiHandler get, post, check;
        std::string methods() const;  // value of the Allow field
    };

    ApiAnswer answer(const ApiRequest& request) const;

    const LiveSettings& settings_;
    std::map<std::string, Route, std::less<>> routes_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<HttpServer> http_;  // last: it uses all the others
};

}  // namespace larder::daemon
