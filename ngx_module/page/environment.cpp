// Returned views refer to nginx's request, which outlives every page made from it.
#include "ngx_module/page/environment.hpp"

#include <algorithm>

#include "cache/request/cookies.hpp"
#include "edge_includes/page_functions.hpp"
#include "ngx_module/request/form_token.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/target.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

std::optional<std::string_view> RequestEnvironment::cookie(std::string_view name) {
    const auto& allowed = ctx_->conf->esi_cookies.value();
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) return std::nullopt;
    // nginx's own parser takes a comma for the end of a cookie before 1.29.6, so read the field ourselves.
    std::optional<std::string_view> found;
    each_cookie_field(request_->headers_in, [&](std::string_view field) {
        if (!found) found = first_cookie(field, name);
    });
    return found;
}

std::optional<std::string_view> RequestEnvironment::header(std::string_view name) {
    std::optional<std::string_view> found;
    each_request_header(request_->headers_in, [&](const ngx_table_elt_t& header) {
        if (equals(header.key, name)) found = view(header.value);
        return !found;
    });
    return found;
}

std::string_view RequestEnvironment::query_string() {
    return view(request_->args);
}

std::string_view RequestEnvironment::host() {
    if (authority_.empty()) authority_ = request_authority(request_, scheme(), authority_storage_);
    return authority_;
}

std::string_view RequestEnvironment::method() {
    return view(request_->method_name);
}

std::string_view RequestEnvironment::path() {
    return view(request_->uri);
}

std::string_view RequestEnvironment::scheme() {
    if (scheme_.empty()) scheme_ = visitor_scheme(request_);
    return scheme_;
}

std::optional<std::string_view> RequestEnvironment::remote_address() {
    if (!ctx_->conf->esi.value().remote_addr) return std::nullopt;
    return view(request_->connection->addr_text);
}

std::int64_t RequestEnvironment::unix_time() {
    return ngx_time();
}

std::optional<esi::FunctionResult> RequestEnvironment::call(std::string_view name,
                                                            std::span<const std::string_view> arguments) {
    esi::FunctionResult result;
    if (name == esi::form_token_function) {
        auto token = form_token(request_, ctx_);
        if (!token) return std::nullopt;
        result.text = std::move(*token);
    } else if (name == esi::signed_cookie_function && !arguments.empty()) {
        auto value = signed_cookie(arguments[0]);
        if (!value && arguments.size() < 2) return std::nullopt;
        result.text = value ? *value : arguments[1];
    }
    return result;
}

std::optional<std::string_view> RequestEnvironment::signed_cookie(std::string_view name) {
    auto sent = cookie(name);
    const Signer* signer = main_conf(request_)->cookie_signer.get();
    if (!sent || signer == nullptr) return std::nullopt;
    const auto& rules = ctx_->conf->cookies.value();
    auto rule = std::find_if(rules.begin(), rules.end(), [name](const CookieRule& candidate) {
        return candidate.kind == CookieClass::verified && candidate.name == name;
    });
    return signer->unsign(*sent, ngx_time(), rule != rules.end() ? rule->max_age_s : signed_cookie_age_s);
}

}  // namespace larder::ngx
