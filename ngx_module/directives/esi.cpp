// larder_esi, larder_esi_include, larder_esi_cookie and larder_csrf: pages of fragments, and what their markup can
// read of the visitor.
#include <algorithm>

#include "ngx_module/directives/arguments.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/directives/setters.hpp"

namespace larder::ngx {

char* set_esi(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->esi.own) return duplicate();
    auto args = arguments(cf);
    LocConf::Esi esi;
    if (args[0] == "on")
        esi.mode = EsiMode::on;
    else if (args[0] == "auto")
        esi.mode = EsiMode::automatic;
    else if (args[0] != "off")
        return refuse(cf, "invalid value " + quoted(args[0]) + ": on, off or auto");
    for (std::size_t i = 1; i < args.size(); i++) {
        if (auto depth = named(args[i], "depth")) {
            auto value = number(*depth, 1, 32);
            if (!value) return refuse(cf, "invalid depth " + quoted(*depth) + ": a number from 1 to 32");
            esi.depth = static_cast<std::uint8_t>(*value);
        } else if (auto includes = named(args[i], "includes")) {
            auto value = number(*includes, 1, 4096);
            if (!value)
                return refuse(cf, "invalid includes " + quoted(*includes) + ": a number from 1 to 4096");
            esi.includes = static_cast<std::uint16_t>(*value);
        } else if (auto size = named(args[i], "size")) {
            auto value = bytes(*size);
            if (!value || *value < 1024 || *value > (64u << 20))
                return refuse(cf, "invalid size " + quoted(*size) + ": a size from 1k to 64m");
            esi.size = *value;
        } else if (auto timeout = named(args[i], "timeout")) {
            auto value = milliseconds(*timeout, 1, 600'000);
            if (!value) return refuse(cf, "invalid timeout " + quoted(*timeout) + ": a time from 1ms to 10m");
            esi.timeout = *value;
        } else if (args[i] == "remote_addr=on" || args[i] == "remote_addr=off") {
            esi.remote_addr = args[i] == "remote_addr=on";
        } else if (auto total = named(args[i], "total")) {
            auto value = milliseconds(*total, 1, 3'600'000);
            if (!value) return refuse(cf, "invalid total " + quoted(*total) + ": a time from 1ms to 1h");
            esi.total = *value;
        } else if (auto output = named(args[i], "output")) {
            auto value = bytes(*output);
            if (!value || *value < 1024 || *value > (1u << 30))
                return refuse(cf, "invalid output " + quoted(*output) + ": a size from 1k to 1g");
            esi.output = *value;
        } else if (auto memory = named(args[i], "memory")) {
            auto value = bytes(*memory);
            if (!value || *value < (1u << 20) || *value > (4096ull << 20))
                return refuse(cf, "invalid memory " + quoted(*memory) + ": a size from 1m to 4096m");
            esi.memory = *value;
        } else {
            return refuse(cf, "unknown parameter " + quoted(args[i]) +
                                  ": depth=N, includes=N, size=SIZE, timeout=TIME, total=TIME, "
                                  "output=SIZE, memory=SIZE or remote_addr=on");
        }
    }
    loc->esi.own = esi;
    return NGX_CONF_OK;
}

char* set_esi_include(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (!loc->esi_includes.own) loc->esi_includes.own.emplace();
    for (std::string_view path : arguments(cf)) {
        if (!path.starts_with('/')) return refuse(cf, "invalid path " + quoted(path) + ": the beginning of a path, such as /fragments/");
        loc->esi_includes.own->emplace_back(path);
    }
    return NGX_CONF_OK;
}

static char* add_names(ngx_conf_t* cf, Setting<std::vector<std::string>>& names) {
    if (!names.own) names.own.emplace();
    for (std::string_view name : arguments(cf)) {
        if (!is_token(name)) return refuse(cf, "invalid cookie name " + quoted(name));
        names.own->emplace_back(name);
    }
    return NGX_CONF_OK;
}

char* set_esi_cookie(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    return add_names(cf, static_cast<LocConf*>(conf)->esi_cookies);
}

char* set_esi_set_cookie(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    return add_names(cf, static_cast<LocConf*>(conf)->esi_set_cookies);
}

namespace {

// Whether the text may be an attribute's value in Set-Cookie (RFC 6265 section 4.1.1).
bool is_attribute_value(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c > 0x20 && c < 0x7f && c != ';'; });
}

bool parse_secure(std::string_view text, CookieSecure& secure) {
    if (text == "auto")
        secure = CookieSecure::automatic;
    else if (text == "on")
        secure = CookieSecure::on;
    else if (text == "off")
        secure = CookieSecure::off;
    else
        return false;
    return true;
}

char* parse_csrf_option(ngx_conf_t* cf, std::string_view argument, LocConf::Csrf& csrf) {
    if (auto cookie = named(argument, "cookie")) {
        if (!is_token(*cookie)) return refuse(cf, "invalid cookie name " + quoted(*cookie));
        csrf.cookie = *cookie;
    } else if (auto domain = named(argument, "domain")) {
        if (!is_attribute_value(*domain))
            return refuse(cf, "invalid domain " + quoted(*domain) + ": a host such as example.com");
        csrf.domain = *domain;
    } else if (auto path = named(argument, "path")) {
        if (!is_attribute_value(*path) || !path->starts_with('/'))
            return refuse(cf, "invalid path " + quoted(*path) + ": one that begins with /");
        csrf.path = *path;
    } else if (auto secure = named(argument, "secure")) {
        if (!parse_secure(*secure, csrf.secure))
            return refuse(cf, "invalid value " + quoted(argument) + ": secure=auto, secure=on or secure=off");
    } else if (auto same_site = named(argument, "samesite")) {
        if (*same_site != "Lax" && *same_site != "Strict" && *same_site != "None")
            return refuse(cf, "invalid value " + quoted(argument) + ": samesite=Lax, Strict or None");
        csrf.same_site = *same_site;
    } else if (auto age = named(argument, "age")) {
        auto time = seconds(*age);
        if (!time) return refuse(cf, "invalid value " + quoted(argument) + ": " + legal_time + ", or 0");
        csrf.age_s = *time;
    } else {
        return refuse(cf, "unknown parameter " + quoted(argument) +
                              ": cookie=NAME, domain=HOST, path=PATH, secure=, samesite= or age=TIME");
    }
    return NGX_CONF_OK;
}

}  // namespace

char* set_csrf(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->csrf.own) return duplicate();
    auto args = arguments(cf);
    if (args[0] != "on" && args[0] != "off")
        return refuse(cf, "invalid value " + quoted(args[0]) + ": on or off");
    LocConf::Csrf csrf;
    csrf.on = args[0] == "on";
    for (std::size_t i = 1; i < args.size(); i++) {
        if (char* bad = parse_csrf_option(cf, args[i], csrf); bad != NGX_CONF_OK) return bad;
    }
    if (csrf.same_site == "None" && csrf.secure == CookieSecure::off)
        return refuse(cf, "\"samesite=None\" with \"secure=off\": browsers refuse such a cookie");
    loc->csrf.own = std::move(csrf);
    return NGX_CONF_OK;
}

}  // namespace larder::ngx
