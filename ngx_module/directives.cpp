// The directives: syntax, checks, inheritance. Every refusal names the value and what would be legal; nginx adds file and line.
#include <algorithm>
#include <cstring>

#include "cache/fields.hpp"
#include "cache/key.hpp"
#include "ngx_module/config.hpp"
#include "ngx_module/endpoints.hpp"
#include "ngx_module/module.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/shared_zone.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t default_zone_bytes = 64u << 20;
constexpr std::size_t max_stores = 8;

char* refuse(ngx_conf_t* cf, const std::string& message) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", message.c_str());
    return static_cast<char*>(NGX_CONF_ERROR);
}

char* duplicate() {
    return const_cast<char*>("is duplicate");
}

std::vector<std::string_view> arguments(ngx_conf_t* cf) {
    std::vector<std::string_view> out;
    auto* values = static_cast<ngx_str_t*>(cf->args->elts);
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) out.push_back(view(values[i]));
    return out;
}

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

// The value of "name=value", or nothing.
std::optional<std::string_view> named(std::string_view argument, std::string_view name) {
    if (argument.size() <= name.size() || argument.substr(0, name.size()) != name ||
        argument[name.size()] != '=') {
        return std::nullopt;
    }
    return argument.substr(name.size() + 1);
}

std::optional<std::uint32_t> seconds(std::string_view text) {
    ngx_str_t value = str(text);
    ngx_int_t parsed = ngx_parse_time(&value, 1);
    if (parsed == NGX_ERROR || parsed > 0x7fffffff) return std::nullopt;
    return static_cast<std::uint32_t>(parsed);
}

std::optional<ngx_msec_t> milliseconds(std::string_view text, ngx_msec_t low, ngx_msec_t high) {
    ngx_str_t value = str(text);
    ngx_int_t parsed = ngx_parse_time(&value, 0);
    if (parsed == NGX_ERROR || static_cast<ngx_msec_t>(parsed) < low ||
        static_cast<ngx_msec_t>(parsed) > high) {
        return std::nullopt;
    }
    return static_cast<ngx_msec_t>(parsed);
}

std::optional<std::size_t> bytes(std::string_view text) {
    ngx_str_t value = str(text);
    ssize_t parsed = view(value).empty() ? NGX_ERROR : ngx_parse_size(&value);
    if (parsed == NGX_ERROR) {
        off_t large = ngx_parse_offset(&value);  // "2g"
        if (large == NGX_ERROR) return std::nullopt;
        return static_cast<std::size_t>(large);
    }
    return static_cast<std::size_t>(parsed);
}

std::optional<unsigned> number(std::string_view text, unsigned low, unsigned high) {
    auto value = parse_delta_seconds(text);
    if (!value || *value < low || *value > high) return std::nullopt;
    return static_cast<unsigned>(*value);
}

constexpr const char* legal_time = "a time such as 30s, 10m, 1h or 1d";

// ---- larder_zone, larder_store, larder_daemon ----------------------------------------------------------------------------

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

// ---- larder --------------------------------------------------------------------------------------------------------------

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
        if (args[1] != "near=off" || where.store == nullptr) {
            return refuse(cf,
                          "invalid parameter " + quoted(args[1]) + ": near=off, after the name of a store");
        }
        where.near = false;
    }
    loc->where.own = where;
    main->used = main->used || where.on;
    return NGX_CONF_OK;
}

// ---- what is kept of a request --------------------------------------------------------------------------------------------

bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return c > 0x20 && c < 0x7f && std::strchr("()<>@,;:\\\"/[]?={}", c) == nullptr;
    });
}

char* set_cookie(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    auto args = arguments(cf);
    if (!is_token(args[0])) return refuse(cf, "invalid cookie name " + quoted(args[0]));
    if (args[1] != "presence" && args[1] != "value") {
        return refuse(cf, "invalid cookie class " + quoted(args[1]) + ": presence or value");
    }
    if (!loc->cookies.own) loc->cookies.own.emplace();
    auto& rules = *loc->cookies.own;
    auto place =
        std::lower_bound(rules.begin(), rules.end(), args[0],
                         [](const CookieRule& rule, std::string_view name) { return rule.name < name; });
    if (place != rules.end() && place->name == args[0])
        return refuse(cf, "duplicate cookie name " + quoted(args[0]));
    if (rules.size() == max_variant_pairs) return refuse(cf, "too many cookies: at most 64");
    rules.insert(place, CookieRule{std::string(args[0]), args[1] == "presence"});
    return NGX_CONF_OK;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

char* set_header(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    std::string name = lower_case(arguments(cf)[0]);
    if (!is_token(name)) return refuse(cf, "invalid header name " + quoted(name));
    for (std::string_view other : {"cookie", "host", "authorization", "connection", "accept-encoding",
                                   "range", "transfer-encoding", "content-length"}) {
        if (name == other)
            return refuse(cf, "header " + quoted(name) + " can't be kept" +
                                  (other == "cookie" ? ": use larder_cookie" : ""));
    }
    if (name.rfind("if-", 0) == 0 || name.rfind("larder-", 0) == 0)
        return refuse(cf, "header " + quoted(name) + " can't be kept");
    if (!loc->headers.own) loc->headers.own.emplace();
    auto& names = *loc->headers.own;
    auto place = std::lower_bound(names.begin(), names.end(), name);
    if (place != names.end() && *place == name) return refuse(cf, "duplicate header name " + quoted(name));
    if (names.size() == max_variant_pairs - 4) return refuse(cf, "too many headers: at most 60");
    names.insert(place, name);
    return NGX_CONF_OK;
}

char* set_query(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    auto args = arguments(cf);
    if (!loc->query.own) loc->query.own.emplace();
    QueryRule& rule = *loc->query.own;
    if (args[0] == "sort" && args.size() == 1) {
        rule.sort = true;
        return NGX_CONF_OK;
    }
    if (rule.kind != QueryRule::Kind::verbatim) return refuse(cf, "only one of keep, drop and none");
    if (args[0] == "none" && args.size() == 1) {
        rule.kind = QueryRule::Kind::none;
        return NGX_CONF_OK;
    }
    if ((args[0] != "keep" && args[0] != "drop") || args.size() < 2) {
        return refuse(
            cf, "invalid query rule " + quoted(args[0]) + ": keep NAME..., drop NAME..., sort, or none");
    }
    rule.kind = args[0] == "keep" ? QueryRule::Kind::keep : QueryRule::Kind::drop;
    for (std::size_t i = 1; i < args.size(); i++) {
        auto star = args[i].find('*');
        if (star != std::string_view::npos && star + 1 != args[i].size()) {
            return refuse(cf, "invalid query name " + quoted(args[i]) +
                                  ": a name, or the beginning of one followed by *");
        }
        rule.names.emplace_back(args[i]);
    }
    return NGX_CONF_OK;
}

// ---- freshness, staleness, ESI ---------------------------------------------------------------------------------------------

char* set_valid(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    auto args = arguments(cf);
    if (!loc->valid.own) loc->valid.own.emplace();
    if (args.back() == "override") {
        loc->valid_overrides.own = true;
        args.pop_back();
        if (args.empty()) return refuse(cf, "override needs a time before it");
    }
    auto time = seconds(args.back());
    if (!time) return refuse(cf, "invalid time " + quoted(args.back()) + ": " + legal_time);
    args.pop_back();
    auto& rules = *loc->valid.own;
    if (rules.size() + args.size() + 1 > max_valid_rules)
        return refuse(cf, "too many rules: at most 32 status codes");
    if (args.empty()) rules.push_back({0, *time});
    for (std::string_view code : args) {
        if (code == "any") {
            rules.push_back({1, *time});
            continue;
        }
        auto status = number(code, 200, 599);
        if (!status || *status == 206 || *status == 304) {
            return refuse(cf, "invalid status code " + quoted(code) +
                                  ": \"any\", or 200 to 599 other than 206 and 304");
        }
        rules.push_back({static_cast<std::uint16_t>(*status), *time});
    }
    return NGX_CONF_OK;
}

char* set_stale(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->stale.own) return duplicate();
    auto args = arguments(cf);
    LocConf::Stale stale;
    if (args.size() == 1 && args[0] == "never") {
        stale.never = true;
        loc->stale.own = stale;
        return NGX_CONF_OK;
    }
    for (std::string_view argument : args) {
        auto stale_while = named(argument, "while"), stale_error = named(argument, "error");
        if (!stale_while && !stale_error)
            return refuse(
                cf, "invalid parameter " + quoted(argument) + ": while=TIME, error=TIME, or never alone");
        auto time = seconds(stale_while ? *stale_while : *stale_error);
        if (!time) return refuse(cf, "invalid time in " + quoted(argument) + ": " + legal_time);
        (stale_while ? stale.while_s : stale.error_s) = *time;
    }
    loc->stale.own = stale;
    return NGX_CONF_OK;
}

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
        } else {
            return refuse(cf, "unknown parameter " + quoted(args[i]) +
                                  ": depth=N, includes=N, size=SIZE or timeout=TIME");
        }
    }
    loc->esi.own = esi;
    return NGX_CONF_OK;
}

char* set_esi_cookie(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (!loc->esi_cookies.own) loc->esi_cookies.own.emplace();
    for (std::string_view name : arguments(cf)) {
        if (!is_token(name)) return refuse(cf, "invalid cookie name " + quoted(name));
        loc->esi_cookies.own->emplace_back(name);
    }
    return NGX_CONF_OK;
}

char* set_conditions(ngx_conf_t* cf, Setting<std::vector<ngx_http_complex_value_t>>& setting) {
    if (!setting.own) setting.own.emplace();
    auto* values = static_cast<ngx_str_t*>(cf->args->elts);
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        ngx_http_complex_value_t value;
        ngx_http_compile_complex_value_t compile{};
        compile.cf = cf;
        compile.value = &values[i];
        compile.complex_value = &value;
        if (ngx_http_compile_complex_value(&compile) != NGX_OK) return static_cast<char*>(NGX_CONF_ERROR);
        setting.own->push_back(value);
    }
    return NGX_CONF_OK;
}

char* set_bypass(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    return set_conditions(cf, static_cast<LocConf*>(conf)->bypass);
}

char* set_no_store(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    return set_conditions(cf, static_cast<LocConf*>(conf)->no_store);
}

char* set_refresh(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->refresh.own) return duplicate();
    auto text = arguments(cf)[0];
    if (text == "daemon")
        loc->refresh.own = RefreshMode::daemon;
    else if (text == "inline")
        loc->refresh.own = RefreshMode::in_worker;
    else if (text == "off")
        loc->refresh.own = RefreshMode::off;
    else
        return refuse(cf, "invalid value " + quoted(text) + ": daemon, inline or off");
    return NGX_CONF_OK;
}

char* set_lock(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->lock.own) return duplicate();
    auto text = arguments(cf)[0];
    auto time = text == "off" ? std::optional<ngx_msec_t>(0) : milliseconds(text, 1, 600'000);
    if (!time) return refuse(cf, "invalid value " + quoted(text) + ": off, or a time from 1ms to 10m");
    loc->lock.own = *time;
    return NGX_CONF_OK;
}

char* set_max_size(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->max_size.own) return duplicate();
    auto text = arguments(cf)[0];
    auto size = bytes(text);
    if (!size || *size == 0 || *size > (512u << 20))
        return refuse(cf, "invalid size " + quoted(text) + ": a size from 1 to 512m");
    loc->max_size.own = static_cast<std::uint32_t>(*size);
    return NGX_CONF_OK;
}

// ---- endpoints --------------------------------------------------------------------------------------------------------------

char* set_handler(ngx_conf_t* cf, ngx_http_handler_pt handler) {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    core->handler = handler;
    return NGX_CONF_OK;
}

char* set_status_endpoint(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    static_cast<LocConf*>(conf)->where.own = Where{};
    return set_handler(cf, status_handler);
}

char* set_purge_endpoint(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->purge_endpoint) return duplicate();
    auto args = arguments(cf);
    if (!args.empty()) {
        auto token = named(args[0], "token");
        if (!token || token->size() < 16)
            return refuse(cf,
                          "invalid parameter " + quoted(args[0]) + ": token=TEXT of at least 16 characters");
        loc->purge_token = copy(cf->pool, *token);
    }
    loc->purge_endpoint = true;
    loc->where.own = Where{};
    return set_handler(cf, purge_handler);
}

// ---- creation, inheritance ---------------------------------------------------------------------------------------------------

void* create_main(ngx_conf_t* cf) {
    return guarded(cf->log, "configuration", static_cast<void*>(nullptr),
                   [&]() -> void* { return make<MainConf>(cf->pool); });
}

void* create_loc(ngx_conf_t* cf) {
    return guarded(cf->log, "configuration", static_cast<void*>(nullptr),
                   [&]() -> void* { return make<LocConf>(cf->pool); });
}

char* merge_loc(ngx_conf_t* cf, void* parent, void* child) {
    return guarded(cf->log, "configuration", static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto& outer = *static_cast<LocConf*>(parent);
        auto& own = *static_cast<LocConf*>(child);
        own.where.merge(outer.where, {});
        own.cookies.merge(outer.cookies, {});
        own.headers.merge(outer.headers, {});
        own.query.merge(outer.query, {});
        if (own.valid.own && !own.valid_overrides.own) own.valid_overrides.own = false;
        own.valid.merge(outer.valid, {});
        own.valid_overrides.merge(outer.valid_overrides, false);
        own.stale.merge(outer.stale, {});
        own.esi.merge(outer.esi, {});
        own.esi_cookies.merge(outer.esi_cookies, {});
        own.bypass.merge(outer.bypass, {});
        own.no_store.merge(outer.no_store, {});
        own.refresh.merge(outer.refresh, RefreshMode::daemon);
        own.lock.merge(outer.lock, 5000);
        own.max_size.merge(outer.max_size, 1u << 20);

        Policy& policy = own.policy;
        policy.valid = own.valid.value();
        policy.valid_overrides = own.valid_overrides.value();
        policy.never_stale = own.stale.value().never;
        policy.while_s = own.stale.value().while_s;
        policy.error_s = own.stale.value().error_s;
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

// The setters above may throw std::bad_alloc; nginx's frames must not see it.
template <char* (*setter)(ngx_conf_t*, ngx_command_t*, void*)>
char* command(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
    return guarded(cf->log, "configuration", static_cast<char*>(NGX_CONF_ERROR),
                   [&] { return setter(cf, cmd, conf); });
}

constexpr ngx_uint_t everywhere = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

template <char* (*setter)(ngx_conf_t*, ngx_command_t*, void*)>
constexpr ngx_command_t at_http(ngx_str_t name, ngx_uint_t takes) {
    return {name, NGX_HTTP_MAIN_CONF | takes, command<setter>, NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr};
}

template <char* (*setter)(ngx_conf_t*, ngx_command_t*, void*)>
constexpr ngx_command_t at(ngx_uint_t contexts, ngx_str_t name, ngx_uint_t takes) {
    return {name, contexts | takes, command<setter>, NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr};
}

}  // namespace

const StoreConf* MainConf::store(std::string_view name) const {
    auto found = std::find_if(stores.begin(), stores.end(),
                              [name](const StoreConf& store) { return store.name == name; });
    return found != stores.end() ? &*found : nullptr;
}

std::uint64_t StoreConf::identity() const {
    return tag_hash(endpoint.url + " " + std::to_string(endpoint.database) + " " + endpoint.prefix);
}

ngx_command_t directives[] = {
    at_http<set_zone>(ngx_string("larder_zone"), NGX_CONF_TAKE1),
    at_http<set_store>(ngx_string("larder_store"), NGX_CONF_2MORE),
    at_http<set_daemon>(ngx_string("larder_daemon"), NGX_CONF_1MORE),
    at<set_larder>(everywhere, ngx_string("larder"), NGX_CONF_TAKE12),
    at<set_cookie>(everywhere, ngx_string("larder_cookie"), NGX_CONF_TAKE2),
    at<set_header>(everywhere, ngx_string("larder_header"), NGX_CONF_TAKE1),
    at<set_query>(everywhere, ngx_string("larder_query"), NGX_CONF_1MORE),
    at<set_valid>(everywhere, ngx_string("larder_valid"), NGX_CONF_1MORE),
    at<set_stale>(everywhere, ngx_string("larder_stale"), NGX_CONF_1MORE),
    at<set_esi>(everywhere, ngx_string("larder_esi"), NGX_CONF_1MORE),
    at<set_esi_cookie>(everywhere, ngx_string("larder_esi_cookie"), NGX_CONF_1MORE),
    at<set_bypass>(everywhere, ngx_string("larder_bypass"), NGX_CONF_1MORE),
    at<set_no_store>(everywhere, ngx_string("larder_no_store"), NGX_CONF_1MORE),
    at<set_refresh>(everywhere, ngx_string("larder_refresh"), NGX_CONF_TAKE1),
    at<set_lock>(everywhere, ngx_string("larder_lock"), NGX_CONF_TAKE1),
    at<set_max_size>(everywhere, ngx_string("larder_max_size"), NGX_CONF_TAKE1),
    at<set_status_endpoint>(NGX_HTTP_LOC_CONF, ngx_string("larder_status"), NGX_CONF_NOARGS),
    at<set_purge_endpoint>(NGX_HTTP_LOC_CONF, ngx_string("larder_purge"), NGX_CONF_NOARGS | NGX_CONF_TAKE1),
    ngx_null_command,
};

ngx_http_module_t module_context = {
    preconfigure, postconfigure, create_main, init_main, nullptr, nullptr, create_loc, merge_loc,
};

}  // namespace larder::ngx
