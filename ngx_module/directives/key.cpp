// larder_cookie, larder_header and larder_query: what makes two requests the same.
#include <algorithm>

#include "ngx_module/directives/arguments.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/directives/setters.hpp"

namespace larder::ngx {

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

}  // namespace larder::ngx
