// The command table, and the creation and inheritance of configurations.
#include <algorithm>

#include "cache/request/key.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/directives/setters.hpp"
#include "ngx_module/module.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t default_zone_bytes = 64u << 20;

void* create_main(ngx_conf_t* cf) {
    return guarded(cf->log, "configuration", static_cast<void*>(nullptr),
                   [&]() -> void* { return make<MainConf>(cf->pool); });
}

void* create_srv(ngx_conf_t* cf) {
    return guarded(cf->log, "configuration", static_cast<void*>(nullptr),
                   [&]() -> void* { return make<SrvConf>(cf->pool); });
}

void* create_loc(ngx_conf_t* cf) {
    return guarded(cf->log, "configuration", static_cast<void*>(nullptr),
                   [&]() -> void* { return make<LocConf>(cf->pool); });
}

void add_rule(std::vector<HeaderRule>& rules, HeaderRule rule) {
    auto place = std::find_if(rules.begin(), rules.end(),
                              [&rule](const HeaderRule& r) { return r.name >= rule.name; });
    if (place != rules.end() && place->name == rule.name)
        *place = std::move(rule);
    else
        rules.insert(place, std::move(rule));
}

void add_negotiated(std::vector<HeaderRule>& rules, std::string_view name,
                    std::vector<std::string> HeaderRule::*list, const std::vector<std::string>& values) {
    if (values.empty()) return;
    HeaderRule rule;
    rule.name = rule.text = name;
    for (const std::string& value : values) rule.text.append(" ").append(value);
    rule.*list = values;
    add_rule(rules, std::move(rule));
}

void add_group(std::vector<HeaderRule>& rules, const GroupRule* group) {
    if (group == nullptr) return;
    HeaderRule rule;
    rule.name = group_field;
    rule.text = group->text;
    rule.is_group = true;
    add_rule(rules, std::move(rule));
}

void add_authorization(std::vector<HeaderRule>& rules, bool shared) {
    if (!shared) return;
    HeaderRule rule;
    rule.name = rule.text = authorization_field;
    rule.is_authorization = true;
    add_rule(rules, std::move(rule));
}

std::vector<CookieRule> kept_cookies(const LocConf& conf) {
    std::vector<CookieRule> rules = conf.cookies.value();
    const GroupRule* group = conf.group.value().get();
    auto told_by_group = [group](const CookieRule& rule) {
        return group != nullptr &&
               std::any_of(group->cookies.begin(), group->cookies.end(),
                           [&rule](const CookieRule& session) { return session.name == rule.name; });
    };
    std::erase_if(rules, [&](const CookieRule& rule) {
        return rule.kind == CookieClass::presence && (conf.everybody.value() || told_by_group(rule));
    });
    return rules;
}

std::vector<HeaderRule> kept_headers(const LocConf& conf) {
    std::vector<HeaderRule> rules = conf.headers.value();
    add_negotiated(rules, "accept-language", &HeaderRule::languages, conf.languages.value());
    add_negotiated(rules, "accept-encoding", &HeaderRule::codings, conf.codings.value());
    add_group(rules, conf.group.value().get());
    add_authorization(rules, conf.authorized.value());
    return rules;
}

// Variant::led's beginning for a location that the URI does not identify: "@name", or the number of an `if` block in
// its location. nginx merges locations in the order of the configuration.
std::string place_of(const ngx_http_core_loc_conf_t& core, LocConf& outer) {
    if (core.noname) return outer.place + "#" + std::to_string(++outer.blocks);
    if (!core.named) return {};
    uintptr_t extra = ngx_escape_uri(nullptr, core.name.data + 1, core.name.len - 1, NGX_ESCAPE_URI_COMPONENT);
    std::string place(core.name.len + 2 * extra, '@');
    ngx_escape_uri(reinterpret_cast<u_char*>(place.data()) + 1, core.name.data + 1, core.name.len - 1,
                   NGX_ESCAPE_URI_COMPONENT);
    return place;
}

char* merge_loc(ngx_conf_t* cf, void* parent, void* child) {
    return guarded(cf->log, "configuration", static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto& outer = *static_cast<LocConf*>(parent);
        auto& own = *static_cast<LocConf*>(child);
        if (own.valid.own && !own.valid_overrides.own) own.valid_overrides.own = false;
#define DIRECTIVE(name, conf, contexts, arguments, setter)
#define SETTING(type, name, fallback) own.name.merge(outer.name, fallback);
#include "ngx_module/directives/directives.def"
#undef SETTING
#undef DIRECTIVE

        if (own.enabled()) {
            static_cast<SrvConf*>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_larder_module))->caches =
                true;
            static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_larder_module))
                ->caching.push_back(static_cast<ngx_http_conf_ctx_t*>(cf->ctx)->loc_conf);
        }
        auto* core = static_cast<ngx_http_core_loc_conf_t*>(
            ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
        own.place = place_of(*core, outer);
        own.kept_headers = kept_headers(own);
        own.kept_cookies = kept_cookies(own);
        Policy& policy = own.policy;
        policy.valid = own.valid.value();
        policy.valid_overrides = own.valid_overrides.value();
        policy.never_stale = own.stale.value().never;
        policy.while_s = own.stale.value().while_s;
        policy.error_s = own.stale.value().error_s;
        policy.keep_s = own.keep_s.value();
        policy.heuristic_percent = own.heuristic.value().percent;
        policy.heuristic_max_s = own.heuristic.value().max_s;
        policy.strip_cookies = own.strip_cookies.value();
        policy.targeted = own.targeted.value();
        policy.failures = own.failures.value();
        policy.keep_nonces = own.keep_nonces.value();
        policy.esi = own.esi.value().mode;
        policy.max_body = own.max_size.value();
        policy.esi_max_includes = own.esi.value().includes;
        policy.esi_max_depth = own.esi.value().depth;
        return NGX_CONF_OK;
    });
}

char* init_main(ngx_conf_t* cf, void* conf) {
    auto* main = static_cast<MainConf*>(conf);
    if (main->used && main->zone == nullptr) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0, "larder: no larder_zone, taking 64m for the near cache");
        main->zone = add_shared_zone(cf, default_zone_bytes);
        if (main->zone == nullptr) return static_cast<char*>(NGX_CONF_ERROR);
    }
    return NGX_CONF_OK;
}

// A setter may throw std::bad_alloc, which must not reach nginx's C code.
template <Setter setter>
char* command(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
    return guarded(cf->log, "configuration", static_cast<char*>(NGX_CONF_ERROR),
                   [&] { return setter(cf, cmd, conf); });
}

constexpr ngx_uint_t at_http = NGX_HTTP_MAIN_CONF;
constexpr ngx_uint_t everywhere = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;
constexpr ngx_uint_t main_offset = NGX_HTTP_MAIN_CONF_OFFSET, loc_offset = NGX_HTTP_LOC_CONF_OFFSET;

}  // namespace

const StoreConf* MainConf::store(std::string_view name) const {
    auto found = std::find_if(stores.begin(), stores.end(),
                              [name](const StoreConf& store) { return store.name == name; });
    return found != stores.end() ? &*found : nullptr;
}

std::uint64_t StoreConf::identity() const {
    return text_hash(endpoint.url + " " + std::to_string(endpoint.database) + " " + endpoint.prefix);
}

ngx_command_t directives[] = {
#define DIRECTIVE(name, conf, contexts, arguments, setter) \
    {ngx_string(#name), (contexts) | (arguments), command<setter>, conf##_offset, 0, nullptr},
#define SETTING(type, name, fallback)
#include "ngx_module/directives/directives.def"
#undef SETTING
#undef DIRECTIVE
    ngx_null_command,
};

ngx_http_module_t module_context = {
    preconfigure, postconfigure, create_main, init_main, create_srv, nullptr, create_loc, merge_loc,
};

}  // namespace larder::ngx
