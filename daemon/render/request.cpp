// Builds the request of a variant.
#include "request.hpp"

#include <algorithm>
#include <array>

#include "cache/response/fields.hpp"
#include "cache/response/storable.hpp"
#include "cache/signer.hpp"
#include "daemon/settings/address.hpp"

namespace larder::daemon {

namespace {

// False for header fields that frame a message, that belong to one connection, or that Larder sets itself.
bool may_be_kept(std::string_view name) {
    static constexpr std::array<std::string_view, 16> never{"connection",
                                                            "content-length",
                                                            "cookie",
                                                            "expect",
                                                            "host",
                                                            "http2-settings",
                                                            "keep-alive",
                                                            "proxy-authorization",
                                                            "proxy-connection",
                                                            "surrogate-capability",
                                                            "te",
                                                            "trailer",
                                                            "transfer-encoding",
                                                            "upgrade",
                                                            "via",
                                                            "x-forwarded-proto"};
    bool ours = name.starts_with("larder-") && name != group_field;
    return std::find(never.begin(), never.end(), name) == never.end() && !ours;
}

bool matches(std::string_view pattern, std::string_view host) {
    if (pattern == "*" || pattern == host) return true;
    return pattern.starts_with("*.") && host.size() > pattern.size() - 1 && host.ends_with(pattern.substr(1));
}

// A variant's host has a port unless it is the default one; patterns usually have none.
std::string_view without_port(std::string_view host) {
    std::size_t colon = host.rfind(':');
    return colon == std::string_view::npos || host.ends_with(']') ? host : host.substr(0, colon);
}

}  // namespace

const BackendSettings* backend_for(const Settings& settings, std::string_view host) {
    for (const BackendSettings& backend : settings.backends) {
        for (const std::string& pattern : backend.hosts) {
            if (matches(pattern, host) || matches(pattern, without_port(host))) return &backend;
        }
    }
    return nullptr;
}

std::optional<BackendRequest> backend_request(const Variant& variant, const Policy& policy,
                                              const BackendSettings& backend, const SigningSettings& signing,
                                              std::int64_t now_s, const char** why) {
    *why = nullptr;
    if (variant.needs_visitor()) {
        *why = "the variant can't be asked for without its visitor";
        return std::nullopt;
    }
    bool signs = std::any_of(variant.cookies.begin(), variant.cookies.end(),
                             [](const KeptCookie& cookie) { return cookie.kind == CookieKind::verified; });
    if (signs && signing.key.empty()) {
        *why = "the variant holds a signed cookie, and there is no [signing] key";
        return std::nullopt;
    }
    if (variant.method != "GET") {
        *why = "the variant's method is not GET";
        return std::nullopt;
    }
    if (variant.led_by_condition()) {
        *why = "an if of nginx's configuration led its visitors, which a backend that is asked directly knows nothing of";
        return std::nullopt;
    }
    auto address = *parse_backend_url(backend.url);
    BackendRequest request;
    request.origin = address.origin;
    request.socket_path = address.socket_path;
    request.target = variant.led_target();
    request.timeout = backend.timeout;
    request.max_body = policy.max_body;
    auto add = [&request](std::string_view name, std::string_view value) {
        request.fields.emplace_back(name, value);
    };
    add("Host", backend.host_header.empty() ? variant.host : std::string_view(backend.host_header));
    bool has_agent = false;
    for (const NamedValue& header : variant.headers) {
        if (!may_be_kept(header.name)) {
            *why = "the variant holds a header that must not be sent";
            return std::nullopt;
        }
        has_agent = has_agent || header.name == "user-agent";
        add(header.name, header.value);
    }
    if (!variant.cookies.empty()) {
        add("Cookie", variant.cookie_field([&](std::string_view value) {
            return Signer({signing.key}, cookie_salt).sign(value, now_s);
        }));
    }
    if (!has_agent) add("User-Agent", "larderd");
    add("X-Forwarded-Proto", variant.scheme);
    if (policy.esi != EsiMode::off) add("Surrogate-Capability", "larder=\"ESI/1.0\"");
    for (const auto& [name, value] : backend.headers) {  // configured headers override ours
        std::erase_if(request.fields, [&name](const auto& field) { return equals_ignore_case(field.first, name); });
        add(name, value);
    }
    return request;
}

}  // namespace larder::daemon
