// larder_zone, larder_store, larder_daemon and larder: where entries live.
#include <algorithm>

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

constexpr const char* legal_urls =
    "redis://[[user]:password@]host[:port][/db], redis+unix:/path, or memcached://host[:port]";

// Splits off "user:password@" and remembers it; `rest` keeps host and path.
void take_userinfo(std::string_view& rest, Endpoint& endpoint) {
    auto at = rest.rfind('@');
    if (at == std::string_view::npos) return;
    std::string_view userinfo = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    auto colon = userinfo.find(':');
    if (colon == std::string_view::npos) {
        endpoint.password = userinfo;
        return;
    }
    endpoint.user = userinfo.substr(0, colon);
    endpoint.password = userinfo.substr(colon + 1);
}

char* resolve(ngx_conf_t* cf, std::string_view host, in_port_t port, Endpoint& endpoint) {
    ngx_url_t url{};
    url.url = copy(cf->pool, host);
    url.default_port = port;
    if (ngx_parse_url(cf->pool, &url) != NGX_OK || url.naddrs == 0) {
        return refuse(cf, std::string(url.err != nullptr ? url.err : "no address") + " in " + quoted(host) +
                              " of " + quoted(endpoint.url));
    }
    endpoint.address = url.addrs[0];
    return NGX_CONF_OK;
}

char* parse_redis(ngx_conf_t* cf, std::string_view rest, Endpoint& endpoint) {
    endpoint.kind = StoreKind::redis;
    take_userinfo(rest, endpoint);
    if (auto slash = rest.find('/'); slash != std::string_view::npos) {
        auto database = rest.substr(slash + 1);
        if (!database.empty()) {
            auto index = number(database, 0, 65535);
            if (!index)
                return refuse(cf, "invalid database " + quoted(database) + ": a number from 0 to 65535");
            endpoint.database = *index;
        }
        rest = rest.substr(0, slash);
    }
    return resolve(cf, rest, 6379, endpoint);
}

std::string masked(std::string_view url) {
    auto scheme = url.find("://");
    auto at = url.rfind('@');
    if (scheme == std::string_view::npos || at == std::string_view::npos) return std::string(url);
    return std::string(url.substr(0, scheme + 3)) + "***" + std::string(url.substr(at));
}

bool take_prefix(std::string_view text, std::string_view prefix, std::string_view& rest) {
    if (text.substr(0, prefix.size()) != prefix) return false;
    rest = text.substr(prefix.size());
    return !rest.empty();
}

char* parse_endpoint(ngx_conf_t* cf, std::string_view url, bool is_daemon, Endpoint& endpoint) {
    endpoint.url = masked(url);
    std::string_view rest;
    if (take_prefix(url, "redis://", rest)) return parse_redis(cf, rest, endpoint);
    if (take_prefix(url, "redis+unix:", rest)) {
        endpoint.kind = StoreKind::redis;
        return resolve(cf, "unix:" + std::string(rest), 0, endpoint);
    }
    if (is_daemon && take_prefix(url, "unix:", rest)) {
        endpoint.kind = StoreKind::larderd;
        return resolve(cf, url, 0, endpoint);
    }
    if (!is_daemon && take_prefix(url, "memcached://", rest)) {
        endpoint.kind = StoreKind::memcached;
        if (rest.find(',') != std::string_view::npos) {
            return refuse(cf, "invalid URL " + quoted(endpoint.url) +
                                  ": one memcached server; fleets are not supported yet");
        }
        return resolve(cf, rest, 11211, endpoint);
    }
    return refuse(
        cf, "invalid URL " + quoted(endpoint.url) + ": " +
                (is_daemon ? "redis://[[user]:password@]host[:port][/db], redis+unix:/path, or unix:/path"
                           : legal_urls));
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
