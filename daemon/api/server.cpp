// cpp-httplib behind a narrow door. This file alone includes it: it is large, and its ABI depends on its macros.
#include "server.hpp"

#include <httplib.h>
#include <openssl/crypto.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "daemon/settings/address.hpp"
#include "daemon/unix_listener.hpp"

namespace larder::daemon {

namespace {

constexpr std::size_t max_body = 1 << 20;

std::string base64_decode(std::string_view text) {
    std::string out(text.size(), '\0');
    int size =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) return {};
    for (std::size_t i = text.size(); i > 0 && text[i - 1] == '='; i--) size--;
    out.resize(static_cast<std::size_t>(std::max(size, 0)));
    return out;
}

void answer_with(httplib::Response& response, const ApiAnswer& answer) {
    response.status = answer.status;
    response.set_content(answer.body, answer.type);
}

std::string error_body(const std::string& text) {
    return nlohmann::json{{"error", text}}.dump() + "\n";
}

ApiRequest request_from(const httplib::Request& from) {
    ApiRequest request;
    request.path = from.path;
    if (std::size_t question = from.target.find('?'); question != std::string::npos)
        request.query = from.target.substr(question + 1);
    for (const auto& [name, value] : from.params) request.params.emplace(name, value);
    request.body = from.body;
    return request;
}

httplib::Server::Handler wrap(ApiHandler handler) {
    return [handler = std::move(handler)](const httplib::Request& from, httplib::Response& to) {
        try {
            answer_with(to, handler(request_from(from)));
        } catch (const std::exception& error) {
            spdlog::error("API {}: {}", from.path, error.what());
            answer_with(to, {500, error_body(error.what())});
        }
    };
}

}  // namespace

bool same_secret(std::string_view given, std::string_view wanted) {
    return given.size() == wanted.size() && CRYPTO_memcmp(given.data(), wanted.data(), given.size()) == 0;
}

bool is_authorized(std::string_view authorization, std::string_view token) {
    if (token.empty()) return false;
    if (authorization.starts_with("Bearer ")) return same_secret(authorization.substr(7), token);
    if (!authorization.starts_with("Basic ")) return false;
    std::string login = base64_decode(authorization.substr(6));
    std::size_t colon = login.find(':');
    return colon != std::string::npos && same_secret(std::string_view(login).substr(colon + 1), token);
}

struct ApiServer::Impl {
    explicit Impl(const LiveSettings& live) : settings(live) {}

    httplib::Server::HandlerResponse admit(const httplib::Request& request,
                                           httplib::Response& response) const;

    const LiveSettings& settings;
    httplib::Server server;
    std::thread thread;
    std::string socket_path;
};

httplib::Server::HandlerResponse ApiServer::Impl::admit(const httplib::Request& request,
                                                        httplib::Response& response) const {
    auto refuse = [&response](int status, const std::string& why) {
        answer_with(response, {status, error_body(why)});
        return httplib::Server::HandlerResponse::Handled;
    };
    if (request.path == "/healthz") return httplib::Server::HandlerResponse::Unhandled;
    std::string token = settings.get()->api.token;
    if (token.empty()) return refuse(403, "api.token is not set in larderd.toml: only /healthz answers");
    if (!is_authorized(request.get_header_value("Authorization"), token)) {
        response.set_header("WWW-Authenticate", "Basic realm=\"larderd\"");
        return refuse(401, "send Authorization: Bearer TOKEN, with api.token of larderd.toml");
    }
    bool json = request.get_header_value("Content-Type").starts_with("application/json");
    if (request.method == "POST" && !json) return refuse(415, "send Content-Type: application/json");
    return httplib::Server::HandlerResponse::Unhandled;
}

ApiServer::ApiServer(const LiveSettings& settings) : impl_(std::make_unique<Impl>(settings)) {
    httplib::Server& server = impl_->server;
    auto threads = static_cast<std::size_t>(settings.get()->api.threads);
    server.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
    server.set_keep_alive_max_count(1);  // an idle connection would hold a thread
    server.set_payload_max_length(max_body);
    server.set_pre_routing_handler(
        [impl = impl_.get()](const auto& request, auto& response) { return impl->admit(request, response); });
    server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
        if (response.body.empty())
            response.set_content(error_body("HTTP status " + std::to_string(response.status)),
                                 "application/json");
    });
}

ApiServer::~ApiServer() {
    stop();
}

void ApiServer::get(const std::string& path, ApiHandler handler) {
    impl_->server.Get(path, wrap(std::move(handler)));
}

void ApiServer::post(const std::string& path, ApiHandler handler) {
    impl_->server.Post(path, wrap(std::move(handler)));
}

void ApiServer::listen() {
    auto settings = impl_->settings.get();
    Endpoint at = *parse_listen_address(settings->api.listen);
    httplib::Server& server = impl_->server;
    bool bound = false;
    if (at.is_unix()) {
        remove_stale_socket(at.path);
        server.set_address_family(AF_UNIX);
        // httplib listens as it binds: until chmod only we may connect.
        mode_t before = umask(0177);
        bound = server.bind_to_port(at.path, 80);
        umask(before);
        impl_->socket_path = at.path;
        if (bound)
            chmod(at.path.c_str(), static_cast<mode_t>(std::stoul(settings->api.socket_mode, nullptr, 8)));
    } else {
        bound = server.bind_to_port(at.tcp.host, at.tcp.port);
    }
    if (!bound)
        throw std::runtime_error("the API cannot listen at " + settings->api.listen + ": " +
                                 std::strerror(errno));
    impl_->thread = std::thread([&server] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();  // so that stop() finds something to stop
}

void ApiServer::stop() {
    if (!impl_->thread.joinable()) return;
    impl_->server.stop();
    impl_->thread.join();
    if (!impl_->socket_path.empty()) unlink(impl_->socket_path.c_str());
}

}  // namespace larder::daemon
