// Authenticates a request and dispatches it to its handler.
#include "server.hpp"

#include <nlohmann/json.hpp>

#include "daemon/api/authorization.hpp"
#include "daemon/settings/address.hpp"

namespace larder::daemon {

ApiAnswer api_error(int status, const std::string& text) {
    using nlohmann::json;
    return {status, json{{"error", text}}.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"};
}

std::string ApiServer::Route::methods() const {
    return check ? "GET, HEAD, OPTIONS" : get ? "GET, HEAD" : "POST";
}

void ApiServer::get(const std::string& path, ApiHandler handler) {
    routes_[path].get = std::move(handler);
}

void ApiServer::post(const std::string& path, ApiHandler handler) {
    routes_[path].post = std::move(handler);
}

void ApiServer::check(const std::string& path, ApiHandler handler) {
    routes_[path].check = std::move(handler);
}

std::optional<ApiAnswer> ApiServer::admit(const ApiRequest& head) const {
    std::string token = settings_.get()->api.token;
    if (head.path != "/healthz") {
        if (token.empty())
            return api_error(403, "api.token is not set in larderd.toml: only /healthz answers");
        if (!is_authorized(head.authorization, token)) {
            ApiAnswer answer =
                api_error(401, "send Authorization: Bearer TOKEN, with api.token of larderd.toml");
            answer.fields.emplace_back("WWW-Authenticate", "Basic realm=\"larderd\"");
            return answer;
        }
    }
    auto found = routes_.find(head.path);
    if (found == routes_.end()) return api_error(404, "there is no such call");
    const Route& route = found->second;
    bool reads = head.method == "GET" || head.method == "HEAD";
    if (route.check && (reads || head.method == "OPTIONS")) return route.check(head);
    if (route.get && reads) return std::nullopt;
    if (!route.post || head.method != "POST") {
        ApiAnswer answer = api_error(405, "legal methods: " + route.methods());
        answer.fields.emplace_back("Allow", route.methods());
        return answer;
    }
    if (!head.content_type.starts_with("application/json"))
        return api_error(415, "send Content-Type: application/json");
    return std::nullopt;
}

ApiAnswer ApiServer::answer(const ApiRequest& request) const {
    const Route& route = routes_.find(request.path)->second;
    return request.method == "POST" ? route.post(request) : route.get(request);
}

void ApiServer::listen() {
    auto settings = settings_.get();
    try {
        listener_ = std::make_unique<Listener>(*parse_listen_address(settings->api.listen),
                                               settings->api.socket_mode);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(std::string("the API cannot listen at ") + error.what());
    }
    HttpLimits limits;
    limits.threads = static_cast<std::size_t>(settings->api.threads);
    http_ = std::make_unique<HttpServer>(
        *listener_, limits,
        HttpServer::Handlers{[this](const ApiRequest& head) { return admit(head); },
                             [this](const ApiRequest& request) { return answer(request); }});
}

}  // namespace larder::daemon
