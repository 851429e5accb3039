#include "by_nginx.hpp"

#include <algorithm>

#include "daemon/settings/address.hpp"

namespace larder::daemon {

std::vector<std::string> NginxServers::for_job(const std::string& of_job, const NginxSettings& settings) {
    std::vector<std::string> urls;
    auto add = [&urls](const std::string& url) {
        if (std::find(urls.begin(), urls.end(), url) == urls.end()) urls.push_back(url);
    };
    if (!of_job.empty()) add(of_job);
    for (const std::string& url : settings.urls) add(url);
    std::lock_guard lock(mutex_);
    for (const std::string& url : recent_) add(url);
    if (!of_job.empty()) {
        std::erase(recent_, of_job);
        recent_.insert(recent_.begin(), of_job);
        if (recent_.size() > most) recent_.pop_back();
    }
    return urls;
}

std::optional<BackendRequest> nginx_request(const std::string& url, const RenderCall& call, const Variant& variant,
                                            const Settings& settings, std::int64_t now_s, const char** why) {
    auto address = parse_backend_url(url);
    if (!address) {
        *why = "the job's address of nginx is none";
        return std::nullopt;
    }
    BackendRequest request;
    request.socket_path = address->socket_path;
    request.origin = address->origin;
    if (address->origin.starts_with("https://")) {  // connect to the address, but send the host's name for SNI and verification
        request.connect_to = "::" + address->origin.substr(std::string_view("https://").size());
        request.origin = "https://" + std::string(variant.host);
    }
    request.target = render_path;
    request.timeout = settings.nginx.timeout;
    request.max_body = 65536;
    request.body = encode_render_call(call);
    std::vector<std::string> keys{settings.signing.key};
    keys.insert(keys.end(), settings.signing.fallback_keys.begin(), settings.signing.fallback_keys.end());
    request.fields = {
        {"Host", std::string(variant.host)},
        {std::string(render_field),
         sign_render_call(keys, request.body, now_s)},
        {"Content-Type", "application/octet-stream"},
        {"User-Agent", "larderd"},
    };
    *why = nullptr;
    return request;
}

}  // namespace larder::daemon
