// nginx's access modules don't export their rules. So compare whether two locations have the same ones.
#include "ngx_module/page/reach.hpp"

#include <algorithm>
#include <cstring>

#include "cache/request/url.hpp"
#include "ngx_module/request/target.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

ngx_module_t* find_module(const char* name) {
    for (ngx_uint_t i = 0; ngx_cycle->modules[i] != nullptr; i++) {
        if (std::strcmp(ngx_cycle->modules[i]->name, name) == 0) return ngx_cycle->modules[i];
    }
    return nullptr;
}

// The first members of the location configuration of nginx's access modules. An inner location that sets none
// inherits the pointers.
struct AccessRules {
    ngx_array_t* rules;
#if (NGX_HAVE_INET6)
    ngx_array_t* rules6;
#endif
#if (NGX_HAVE_UNIX_DOMAIN)
    ngx_array_t* rules_un;
#endif
    bool operator==(const AccessRules&) const = default;
};
struct BasicRules {
    ngx_http_complex_value_t* realm;
    bool operator==(const BasicRules&) const = default;
};
struct RequestRules {
    ngx_str_t uri;
    bool operator==(const RequestRules& other) const { return view(uri) == view(other.uri); }
};

bool is_none(const AccessRules& access) {
    return access == AccessRules{};
}
bool is_none(const BasicRules& basic) {
    return basic.realm == nullptr || view(basic.realm->value) == "off";
}
bool is_none(const RequestRules& request) {
    return request.uri.len == 0;
}

template <typename Rules>
bool has_others(const ngx_module_t* module, const ngx_http_request_t* r, const ngx_http_request_t* page) {
    if (module == nullptr) return false;
    const auto& own = *static_cast<const Rules*>(r->loc_conf[module->ctx_index]);
    return !is_none(own) && !(own == *static_cast<const Rules*>(page->loc_conf[module->ctx_index]));
}

}  // namespace

bool may_include(ngx_http_request_t* r, const std::vector<std::string>& paths, std::string_view target) {
    if (paths.empty()) return true;
    std::string path_storage, storage;
    auto path = decoded_path(r, normalise_path(split_target(target).path, path_storage), storage);
    return path && std::any_of(paths.begin(), paths.end(), [&](const std::string& begin) { return path->starts_with(begin); });
}

bool has_access_rules_of_its_own(ngx_http_request_t* r) {
    static ngx_module_t* const access = find_module("ngx_http_access_module");
    static ngx_module_t* const basic = find_module("ngx_http_auth_basic_module");
    static ngx_module_t* const request = find_module("ngx_http_auth_request_module");
    const ngx_http_request_t* page = r->parent;
    bool others = has_others<AccessRules>(access, r, page) || has_others<BasicRules>(basic, r, page) ||
                  has_others<RequestRules>(request, r, page);
    if (others)
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "larder: fragment \"%V\" of \"%V\" refused: its location has access rules of its own, and larder_esi_include "
                      "does not name it",
                      &r->uri, &page->uri);
    return others;
}

}  // namespace larder::ngx
