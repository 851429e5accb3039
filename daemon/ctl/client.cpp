// cpp-httplib as a client.
#include "client.hpp"

#include <httplib.h>

#include "daemon/settings/address.hpp"

namespace larder::ctl {

namespace {

using nlohmann::json;

httplib::Client client_for(const std::string& api) {
    auto at = daemon::parse_listen_address(api);
    if (!at) throw CallFailed("--api: \"" + api + "\"; legal: HOST:PORT or unix:/PATH");
    httplib::Client client =
        at->is_unix() ? httplib::Client(at->path, 80) : httplib::Client(at->tcp.host, at->tcp.port);
    if (at->is_unix()) client.set_address_family(AF_UNIX);
    client.set_connection_timeout(5);
    client.set_read_timeout(60);
    return client;
}

json judged(const std::string& api, const httplib::Result& result) {
    if (!result) throw CallFailed(api + ": " + httplib::to_string(result.error()) + " (is larderd running?)");
    json body = json::parse(result->body, nullptr, false);
    if (result->status >= 200 && result->status < 300 && !body.is_discarded()) return body;
    std::string why = body.is_object() ? body.value("error", std::string()) : std::string();
    throw CallFailed(api + ": " + std::to_string(result->status) + (why.empty() ? "" : ": " + why));
}

}  // namespace

Client::Client(const std::string& api, std::string token) : api_(api), token_(std::move(token)) {
    client_for(api);
}

json Client::get(const std::string& path_and_query) const {
    return judged(api_, client_for(api_).Get(path_and_query,
                                             {{"Host", "larderd"}, {"Authorization", "Bearer " + token_}}));
}

json Client::post(const std::string& path, const json& body) const {
    return judged(api_,
                  client_for(api_).Post(path, {{"Host", "larderd"}, {"Authorization", "Bearer " + token_}},
                                        body.dump(), "application/json"));
}

std::string percent_encoded(const std::string& text) {
    std::string out;
    for (unsigned char c : text) {
        if (std::isalnum(c) != 0 ||
            std::string_view("-._~").find(static_cast<char>(c)) != std::string_view::npos) {
            out.push_back(static_cast<char>(c));
        } else {
            out.push_back('%');
            out.push_back("0123456789ABCDEF"[c >> 4]);
            out.push_back("0123456789ABCDEF"[c & 15]);
        }
    }
    return out;
}

}  // namespace larder::ctl
