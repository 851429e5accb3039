// larder_zone, larder_store, larder_daemon and larder: where entries live.
#include <algorithm>

#include "cache/wire/store_url.hpp"
#include "ngx_module/directives/arguments.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/directives/setters.hpp"
#include "ngx_module/module.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t max_stores = 8;

char* resolve(ngx_conf_t* cf, const std::string& name, Endpoint& endpoint) {
    ngx_url_t url{};
    url.url = copy(cf->pool, name);
    if (ngx_parse_url(cf->pool, &url) != NGX_OK || url.naddrs == 0) {
        return refuse(cf, std::string(url.err != nullptr ? url.err : "no address") + " in " + quoted(name) +
                              " of " + quoted(endpoint.url));
    }
    endpoint.addresses.assign(url.addrs, url.addrs + url.naddrs);
    return NGX_CONF_OK;
}

// The address in the form of nginx's resolver.
std::string address_of(const StoreUrl& url) {
    if (!url.path.empty()) return "unix:" + url.path;
    const StoreUrl::Server& server = url.servers[0];
    bool literal = server.host.find(':') != std::string::npos;
    return (literal ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
}

char* parse_endpoint(ngx_conf_t* cf, std::string_view text, bool is_daemon, Endpoint& endpoint) {
    endpoint.url = without_login(text);
    auto bad = [&](const std::string& why) {
        std::string legal = is_daemon ? "redis://[[user]:password@]host[:port][/db], redis+unix:/path, or unix:/path"
                                      : "redis://[[user]:password@]host[:port][/db], redis+unix:/path, or "
                                        "memcached://host[:port]";
        return refuse(cf, "invalid URL " + quoted(endpoint.url) + ": " + why + "; legal: " + legal);
    };
    std::string why;
    auto url = parse_store_url(text, why);
    if (!url) return bad(why);
    switch (url->kind) {
        case StoreUrl::Kind::redis:
            endpoint.kind = StoreKind::redis;
            break;
        case StoreUrl::Kind::memcached:
            if (is_daemon) return bad("memcached holds no queue");
            if (url->servers.size() > 1) return bad("one memcached server; fleets are not supported yet");
            endpoint.kind = StoreKind::memcached;
            break;
        case StoreUrl::Kind::socket:
            if (!is_daemon) return bad("unix: is larderd's socket, for larder_daemon");
            endpoint.kind = StoreKind::larderd;
            break;
    }
    endpoint.user = url->user;
    endpoint.password = url->password;
    endpoint.database = url->database;
    return resolve(cf, address_of(*url), endpoint);
}

char* parse_endpoint_options(ngx_conf_t* cf, const std::vector<std::string_view>& args, std::size_t from,
                             Endpoint& endpoint) {
    for (std::size_t i = from; i < args.size(); i++) {
        if (auto prefix = named(args[i], "prefix")) {
            bool legal = prefix->size() <= 64 && std::all_of(prefix->begin(), prefix->end(), [](char c) {
                             return c > 0x20 && c < 0x7f && c != '{' && c != '}';
                         });
            if (!legal)
                return refuse(cf, "invalid prefix " + quoted(*prefix) +
                                      ": up to 64 printable characters, no space or braces");
            endpoint.prefix = *prefix;
        } else if (auto timeout = named(args[i], "timeout")) {
            auto time = milliseconds(*timeout, 1, 60'000);
            if (!time) return refuse(cf, "invalid timeout " + quoted(*timeout) + ": a time from 1ms to 60s");
            endpoint.timeout = *time;
        } else {
            return refuse(cf, "unknown parameter " + quoted(args[i]) + ": prefix=TEXT or timeout=TIME");
        }
    }
    return NGX_CONF_OK;
}

bool is_render_url(std::string_view url) {
    if (url.substr(0, 6) == "unix:/") return true;
    std::string_view rest;
    for (std::string_view scheme : {"http://", "https://"})
        if (url.substr(0, scheme.size()) == scheme) rest = url.substr(scheme.size());
    return !rest.empty() && rest.size() <= 255 && std::all_of(rest.begin(), rest.end(), [](char c) {
               return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == ':' || c == '[' || c == ']';
           });
}

}  // namespace

char* set_zone(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* main = static_cast<MainConf*>(conf);
    if (main->zone != nullptr) return duplicate();
    auto text = arguments(cf)[0];
    auto size = bytes(text);
    if (!size || *size < near_cache::min_zone_bytes || *size > near_cache::max_arena_bytes) {
        return refuse(cf, "invalid zone size " + quoted(text) + ": a size from 1m to 64g, such as 64m");
    }
    main->zone = add_shared_zone(cf, *size);
    return main->zone != nullptr ? NGX_CONF_OK : static_cast<char*>(NGX_CONF_ERROR);
}

char* set_store(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* main = static_cast<MainConf*>(conf);
    auto args = arguments(cf);
    if (args[0] == "near" || args[0] == "off")
        return refuse(cf,
                      "invalid store name " + quoted(args[0]) + ": it means something else to \"larder\"");
    if (main->store(args[0]) != nullptr) return refuse(cf, "duplicate store name " + quoted(args[0]));
    if (main->stores.size() == max_stores) return refuse(cf, "too many stores: at most 8");
    StoreConf store;
    store.name = args[0];
    if (char* bad = parse_endpoint(cf, args[1], false, store.endpoint); bad != NGX_CONF_OK) return bad;
    if (char* bad = parse_endpoint_options(cf, args, 2, store.endpoint); bad != NGX_CONF_OK) return bad;
    main->stores.push_back(std::move(store));
    return NGX_CONF_OK;
}

char* set_daemon(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* main = static_cast<MainConf*>(conf);
    if (main->daemon) return duplicate();
    auto args = arguments(cf);
    Endpoint endpoint;
    auto render = std::find_if(args.begin() + 1, args.end(), [](std::string_view a) { return named(a, "render").has_value(); });
    if (render != args.end()) {
        main->render_url = *named(*render, "render");
        if (!is_render_url(main->render_url))
            return refuse(cf, "invalid parameter " + quoted(*render) + ": render=http://ADDRESS[:PORT], render=https://ADDRESS[:PORT] or render=unix:/PATH");
        args.erase(render);
    }
    if (char* bad = parse_endpoint(cf, args[0], true, endpoint); bad != NGX_CONF_OK) return bad;
    if (char* bad = parse_endpoint_options(cf, args, 1, endpoint); bad != NGX_CONF_OK) return bad;
    main->daemon = std::move(endpoint);
    return NGX_CONF_OK;
}

char* set_larder(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    auto* main = static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_larder_module));
    if (loc->where.own) return duplicate();
    auto args = arguments(cf);
    Where where;
    where.on = args[0] != "off";
    if (where.on && args[0] != "near") {
        where.store = main->store(args[0]);
        if (where.store == nullptr) {
            std::string known = "near, off";
            for (const StoreConf& store : main->stores) known += ", " + store.name;
            return refuse(cf, "unknown store " + quoted(args[0]) + ": one of " + known +
                                  " (larder_store must come first)");
        }
    }
    if (args.size() == 2) {
        where.trust = args[1] == "trust" && !where.on;
        where.near = args[1] != "near=off" || where.store == nullptr;
        if (where.near && !where.trust) {
            return refuse(cf, "invalid parameter " + quoted(args[1]) +
                                  ": near=off after the name of a store, or trust after off");
        }
    }
    loc->where.own = where;
    main->used = main->used || where.on;
    return NGX_CONF_OK;
}

}  // namespace larder::ngx
