// larder_cookie, larder_header, larder_language, larder_query and others: what makes two requests the same.
#include <algorithm>
#include <cctype>
#include <utility>

#include "cache/response/fields.hpp"
#include "cache/response/storable.hpp"
#include "ngx_module/directives/arguments.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/directives/setters.hpp"
#include "ngx_module/module.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t max_headers = max_variant_pairs - 4;

std::string joined(const std::vector<std::string_view>& words) {
    std::string text;
    for (std::string_view word : words) text.append(word).append(" ");
    return text;
}

// Parses allow=a,b,c and allow=~REGEX.
char* parse_allow(ngx_conf_t* cf, std::string_view text, ValueFilter& filter) {
    if (text.substr(0, 1) == "~") {
        u_char error[NGX_MAX_CONF_ERRSTR];
        ngx_regex_compile_t compile{};
        compile.pattern = copy(cf->pool, text.substr(1));
        compile.pool = cf->pool;
        compile.err = {sizeof error, error};
        if (compile.pattern.len == 0) return refuse(cf, "an empty pattern in \"allow=~\": allow=~REGEX");
        if (ngx_regex_compile(&compile) != NGX_OK) return refuse(cf, std::string(view(compile.err)));
        filter.allows = [regex = compile.regex](std::string_view value) {
            ngx_str_t subject = str(value);
            return ngx_regex_exec(regex, &subject, nullptr, 0) >= 0;
        };
        return NGX_CONF_OK;
    }
    std::vector<std::string> values;
    for (std::size_t at = 0; at <= text.size();) {
        std::size_t end = std::min(text.find(',', at), text.size());
        if (end == at)
            return refuse(cf, "an empty value in " + quoted("allow=" + std::string(text)) + ": allow=a,b,c");
        values.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    filter.allows = [values](std::string_view value) {
        return std::find(values.begin(), values.end(), value) != values.end();
    };
    return NGX_CONF_OK;
}

// Parses allow= and default=. `known` is set to whether the argument was one of these.
char* parse_filter(ngx_conf_t* cf, std::string_view argument, ValueFilter& filter, bool& known) {
    known = true;
    if (auto allow = named(argument, "allow")) return parse_allow(cf, *allow, filter);
    if (auto fallback = named(argument, "default")) {
        bool legal = !fallback->empty() &&
                     std::all_of(fallback->begin(), fallback->end(),
                                 [](unsigned char c) { return c > 0x20 && c < 0x7f && c != ';'; });
        if (!legal) return refuse(cf, "invalid " + quoted(argument) + ": visible characters other than ;");
        filter.fallback = *fallback;
        return NGX_CONF_OK;
    }
    known = false;
    return NGX_CONF_OK;
}

constexpr const char* legal_classes = "presence, value, bucket=N, private, signed, bypass or ignore";

bool parse_class(std::string_view text, CookieRule& rule) {
    static constexpr std::pair<std::string_view, CookieClass> plain[] = {
        {"presence", CookieClass::presence}, {"value", CookieClass::value},
        {"private", CookieClass::personal},  {"signed", CookieClass::verified},
        {"bypass", CookieClass::bypass},     {"ignore", CookieClass::ignore},
    };
    for (const auto& [name, kind] : plain) {
        if (text != name) continue;
        rule.kind = kind;
        return true;
    }
    auto buckets = named(text, "bucket");
    auto count = buckets ? number(*buckets, 2, 10'000) : std::nullopt;
    if (!count) return false;
    rule.kind = CookieClass::bucket;
    rule.buckets = *count;
    return true;
}

char* parse_cookie_option(ngx_conf_t* cf, std::string_view argument, CookieRule& rule) {
    bool filtered = rule.kind == CookieClass::value || rule.kind == CookieClass::verified;
    if (filtered) {
        bool known;
        char* parsed = parse_filter(cf, argument, rule.filter, known);
        if (known) return parsed;
    }
    if (auto age = named(argument, "max_age"); age && rule.kind == CookieClass::verified) {
        auto time = seconds(*age);
        if (!time || *time == 0) return refuse(cf, "invalid " + quoted(argument) + ": " + legal_time);
        rule.max_age_s = *time;
        return NGX_CONF_OK;
    }
    if (argument == "store" && rule.kind == CookieClass::personal) {
        rule.shared = true;
        return NGX_CONF_OK;
    }
    return refuse(
        cf,
        "invalid parameter " + quoted(argument) +
            ": allow=LIST or default=TEXT for value and signed, max_age=TIME for signed, store for private");
}

char* take_keys(ngx_conf_t* cf, CookieRule& rule) {
    if (rule.kind != CookieClass::personal && rule.kind != CookieClass::verified) return NGX_CONF_OK;
    auto* main = static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_larder_module));
    if (main->signing_keys.empty())
        return refuse(
            cf, "cookies of the classes private and signed need larder_signing_key, which must come first");
    rule.signer = main->cookie_signer;
    rule.digest_key = main->signing_keys.front();
    return NGX_CONF_OK;
}

char* add_cookie(ngx_conf_t* cf, LocConf* loc, CookieRule rule) {
    if (!loc->cookies.own) loc->cookies.own.emplace();
    auto& rules = *loc->cookies.own;
    auto place = std::lower_bound(rules.begin(), rules.end(), rule);
    if (place != rules.end() && place->name == rule.name) {
        if (rule.of_preset) return NGX_CONF_OK;  // a line of its own, or another preset, has this cookie already
        if (!place->of_preset) return refuse(cf, "duplicate cookie name " + quoted(rule.name));
        *place = std::move(rule);
        return NGX_CONF_OK;
    }
    if (rules.size() == max_variant_pairs) return refuse(cf, "too many cookies: at most 64");
    rules.insert(place, std::move(rule));
    return NGX_CONF_OK;
}

bool is_cookie_name(std::string_view name) {
    auto star = name.find('*');
    bool one_star = star == std::string_view::npos ||
                    (name.size() > 1 && name.find('*', star + 1) == std::string_view::npos);
    return is_token(name) && one_star;
}

char* add_group_cookie(ngx_conf_t* cf, std::string_view name, GroupRule& group) {
    if (!is_token(name)) return refuse(cf, "invalid cookie name " + quoted(name));
    CookieRule rule;
    rule.name = name;
    rule.kind = CookieClass::personal;
    if (char* bad = take_keys(cf, rule); bad != NGX_CONF_OK) return bad;
    auto place = std::lower_bound(group.cookies.begin(), group.cookies.end(), rule);
    if (place != group.cookies.end() && place->name == name)
        return refuse(cf, "duplicate cookie name " + quoted(name));
    CookieRule present;
    present.name = name;
    present.kind = CookieClass::presence;
    group.present.insert(group.present.begin() + (place - group.cookies.begin()), std::move(present));
    group.cookies.insert(place, std::move(rule));
    return NGX_CONF_OK;
}

char* parse_group_option(ngx_conf_t* cf, std::string_view argument, GroupRule& group) {
    if (auto name = named(argument, "cookie")) return add_group_cookie(cf, *name, group);
    auto valid = named(argument, "valid"), error = named(argument, "error"),
         timeout = named(argument, "timeout");
    if (!valid && !error && !timeout)
        return refuse(cf, "invalid parameter " + quoted(argument) +
                              ": cookie=NAME, valid=TIME, error=TIME or timeout=TIME");
    if (timeout) {
        auto time = milliseconds(*timeout, 1, 600'000);
        if (!time) return refuse(cf, "invalid time in " + quoted(argument) + ": from 1ms to 10m");
        group.timeout = *time;
        return NGX_CONF_OK;
    }
    auto time = seconds(valid ? *valid : *error);
    if (!time) return refuse(cf, "invalid time in " + quoted(argument) + ": " + legal_time);
    (valid ? group.valid_s : group.error_s) = *time;
    return NGX_CONF_OK;
}

}  // namespace

char* set_signing_key(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* main = static_cast<MainConf*>(conf);
    if (!main->signing_keys.empty()) return duplicate();
    for (std::string_view key : arguments(cf)) {
        if (key.size() < min_signing_key_bytes)
            return refuse(cf, "a signing key of " + std::to_string(key.size()) + " characters: at least 16");
        main->signing_keys.emplace_back(key);
    }
    main->cookie_signer = std::make_shared<Signer>(main->signing_keys, cookie_salt);
    main->render_signer = std::make_shared<Signer>(main->signing_keys, render_salt);
    return NGX_CONF_OK;
}

char* set_cookie(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto args = arguments(cf);
    if (!is_cookie_name(args[0]))
        return refuse(cf, "invalid cookie name " + quoted(args[0]) + ": a name, or a pattern with one *");
    CookieRule rule;
    rule.name = args[0];
    rule.text = joined(args);
    rule.max_age_s = signed_cookie_age_s;
    if (!parse_class(args[1], rule))
        return refuse(
            cf, "invalid cookie class " + quoted(args[1]) + ": " + legal_classes + ", N from 2 to 10000");
    for (std::size_t i = 2; i < args.size(); i++) {
        if (char* bad = parse_cookie_option(cf, args[i], rule); bad != NGX_CONF_OK) return bad;
    }
    if (char* bad = take_keys(cf, rule); bad != NGX_CONF_OK) return bad;
    bool replaced = rule.kind == CookieClass::bucket || !rule.filter.fallback.empty();
    if (replaced && is_session_name(rule.name))
        return refuse(cf, quoted(rule.name) + " is the name of a session's cookie: " + quoted(args[1]) +
                              " or default= would send the site a session id that visitors share; legal: " +
                              "presence, private, bypass");
    if (rule.kind == CookieClass::value && is_session_name(rule.name))
        ngx_conf_log_error(
            NGX_LOG_WARN, cf, 0,
            "larder: \"%s\" is the name of a session's cookie: by value each visitor has pages of "
            "their own in the store, under their session's id; meant is presence, private or bypass",
            rule.name.c_str());
    return add_cookie(cf, static_cast<LocConf*>(conf), std::move(rule));
}

char* set_cookie_preset(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    for (std::string_view framework : arguments(cf)) {
        std::vector<CookieRule> rules = cookie_preset(framework);
        if (rules.empty())
            return refuse(cf, "unknown framework " + quoted(framework) + ": " + std::string(cookie_presets));
        for (CookieRule& rule : rules) {
            if (char* bad = add_cookie(cf, static_cast<LocConf*>(conf), std::move(rule)); bad != NGX_CONF_OK)
                return bad;
        }
    }
    return NGX_CONF_OK;
}

char* set_audience(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->everybody.own) return duplicate();
    std::string_view audience = arguments(cf)[0];
    if (audience != "site" && audience != "everybody")
        return refuse(cf, "invalid audience " + quoted(audience) +
                              ": site (its answers say whom they are for), or everybody");
    loc->everybody.own = audience == "everybody";
    return NGX_CONF_OK;
}

char* set_group(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->group.own) return duplicate();
    auto args = arguments(cf);
    if (args.size() == 1 && args[0] == "off") {
        loc->group.own.emplace();
        return NGX_CONF_OK;
    }
    auto group = std::make_shared<GroupRule>();
    group->uri = args[0];
    group->text = joined(args);
    if (group->uri[0] != '/' || group->uri.find_first_of("#\r\n") != std::string::npos)
        return refuse(cf, "invalid URI " + quoted(args[0]) +
                              ": a path of this server that begins with /, or off alone");
    for (std::size_t i = 1; i < args.size(); i++) {
        if (char* bad = parse_group_option(cf, args[i], *group); bad != NGX_CONF_OK) return bad;
    }
    if (group->cookies.empty()) return refuse(cf, "larder_group needs cookie=NAME: the session's");
    loc->group.own = std::move(group);
    return NGX_CONF_OK;
}

char* set_header(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    auto args = arguments(cf);
    HeaderRule rule;
    rule.name = lower_case(args[0]);
    rule.text = joined(args);
    if (!is_token(rule.name)) return refuse(cf, "invalid header name " + quoted(rule.name));
    if (!may_be_keyed(rule.name))
        return refuse(cf, "header " + quoted(rule.name) + " can't be kept" +
                              (rule.name == "cookie" ? ": use larder_cookie" : ""));
    for (std::size_t i = 1; i < args.size(); i++) {
        bool known;
        if (char* bad = parse_filter(cf, args[i], rule.filter, known); bad != NGX_CONF_OK) return bad;
        auto value = named(args[i], "value");
        if (!known && !value)
            return refuse(
                cf, "invalid parameter " + quoted(args[i]) + ": allow=LIST, default=TEXT or value=STRING");
        if (value && !compile_value(cf, *value, rule.value.emplace()))
            return static_cast<char*>(NGX_CONF_ERROR);
    }
    if (!loc->headers.own) loc->headers.own.emplace();
    auto& rules = *loc->headers.own;
    auto place = std::lower_bound(rules.begin(), rules.end(), rule.name,
                                  [](const HeaderRule& r, std::string_view name) { return r.name < name; });
    if (place != rules.end() && place->name == rule.name)
        return refuse(cf, "duplicate header name " + quoted(rule.name));
    if (rules.size() == max_headers) return refuse(cf, "too many headers: at most 60");
    rules.insert(place, std::move(rule));
    return NGX_CONF_OK;
}

char* set_language(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->languages.own) return duplicate();
    std::vector<std::string> tags;
    for (std::string_view tag : arguments(cf)) {
        bool legal =
            tag.size() <= 35 && !tag.empty() &&
            std::all_of(tag.begin(), tag.end(), [](unsigned char c) { return std::isalnum(c) || c == '-'; });
        if (!legal)
            return refuse(cf, "invalid language " + quoted(tag) + ": a tag such as en, de-CH or zh-Hant");
        tags.push_back(lower_case(tag));
    }
    loc->languages.own = std::move(tags);
    return NGX_CONF_OK;
}

char* set_vary(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->vary_most.own) return duplicate();
    auto args = arguments(cf);
    if (args[0] != "key" && (args[0] != "refuse" || args.size() == 2))
        return refuse(cf, "invalid value " + quoted(args[0]) + ": refuse, or key [max=N]");
    unsigned most = args[0] == "key" ? 64 : 0;
    if (args.size() == 2) {
        auto given = named(args[1], "max");
        auto value = given ? number(*given, 1, 10'000) : std::nullopt;
        if (!value)
            return refuse(cf, "invalid parameter " + quoted(args[1]) + ": max=N, a number from 1 to 10000");
        most = *value;
    }
    loc->vary_most.own = most;
    return NGX_CONF_OK;
}

char* set_encoding(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->codings.own) return duplicate();
    std::vector<std::string> codings;
    auto args = arguments(cf);
    for (std::string_view coding : args) {
        if (coding == "off" && args.size() == 1) break;
        if (!is_token(coding) || coding == "*" || coding == "off" || coding == "identity")
            return refuse(cf, "invalid content coding " + quoted(coding) +
                                  ": off alone, or names such as gzip, br and zstd in order of preference");
        codings.emplace_back(coding);
    }
    loc->codings.own = std::move(codings);
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
        if (args[i] == "@marketing") {
            for (std::string_view name : marketing_parameters()) rule.names.emplace_back(name);
            continue;
        }
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
