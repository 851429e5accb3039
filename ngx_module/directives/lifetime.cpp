// larder_valid, larder_stale and others: what is stored, for how long, and who renews it.
#include "cache/request/request_control.hpp"
#include "cache/response/fields.hpp"
#include "ngx_module/directives/arguments.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/directives/setters.hpp"

namespace larder::ngx {

namespace {

char* set_conditions(ngx_conf_t* cf, Setting<std::vector<ngx_http_complex_value_t>>& setting) {
    if (!setting.own) setting.own.emplace();
    for (std::string_view text : arguments(cf)) {
        if (!compile_value(cf, text, setting.own->emplace_back())) return static_cast<char*>(NGX_CONF_ERROR);
    }
    return NGX_CONF_OK;
}

}  // namespace

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
        std::uint32_t* span = nullptr;
        std::optional<std::string_view> text;
        if ((text = named(argument, "while")))
            span = &stale.while_s;
        else if ((text = named(argument, "error")))
            span = &stale.error_s;
        else if ((text = named(argument, "purged")))
            span = &stale.purged_s;
        else
            return refuse(cf, "invalid parameter " + quoted(argument) +
                                  ": while=TIME, error=TIME, purged=TIME, or never alone");
        auto time = seconds(*text);
        if (!time) return refuse(cf, "invalid time in " + quoted(argument) + ": " + legal_time);
        *span = *time;
    }
    loc->stale.own = stale;
    return NGX_CONF_OK;
}

char* set_bypass(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    return set_conditions(cf, static_cast<LocConf*>(conf)->bypass);
}

char* set_no_store(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    return set_conditions(cf, static_cast<LocConf*>(conf)->no_store);
}

char* set_request_control(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->request_control.own) return duplicate();
    auto args = arguments(cf);
    auto& rule = loc->request_control.own.emplace();
    if (auto condition = named(args.back(), "if")) {
        if (!compile_value(cf, *condition, rule.condition.emplace()))
            return static_cast<char*>(NGX_CONF_ERROR);
        args.pop_back();
    }
    if (args.size() == 1 && args[0] == "off" && !rule.condition) return NGX_CONF_OK;
    if (args.size() == 1 && args[0] == "on") {
        rule.honoured = all_request_directives;
        return NGX_CONF_OK;
    }
    if (args.empty()) return refuse(cf, "if= needs on, or names of directives, before it");
    for (std::string_view name : args) {
        auto directive = request_directive(name);
        if (!directive) {
            return refuse(
                cf, "invalid directive " + quoted(name) +
                        ": on or off alone, or some of max-age, max-stale, min-fresh, no-cache, no-store "
                        "and only-if-cached; then if=STRING");
        }
        rule.honoured |= *directive;
    }
    return NGX_CONF_OK;
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

char* set_revalidate(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->keep_s.own) return duplicate();
    auto args = arguments(cf);
    if (args[0] != "on" && (args[0] != "off" || args.size() == 2))
        return refuse(cf, "invalid value " + quoted(args[0]) + ": off, or on [keep=TIME]");
    std::uint32_t keep_s = args[0] == "on" ? 86400 : 0;
    if (args.size() == 2) {
        auto keep = named(args[1], "keep");
        auto time = keep ? seconds(*keep) : std::nullopt;
        if (!time || *time == 0)
            return refuse(cf, "invalid parameter " + quoted(args[1]) + ": keep=TIME, " + legal_time);
        keep_s = *time;
    }
    loc->keep_s.own = keep_s;
    return NGX_CONF_OK;
}

char* set_heuristic(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->heuristic.own) return duplicate();
    auto args = arguments(cf);
    LocConf::Heuristic heuristic;
    if (args[0] != "off" || args.size() == 2) {
        auto percent =
            args[0].ends_with('%') ? number(args[0].substr(0, args[0].size() - 1), 1, 100) : std::nullopt;
        if (!percent) return refuse(cf, "invalid value " + quoted(args[0]) + ": off, or 1% to 100%");
        heuristic.percent = static_cast<std::uint8_t>(*percent);
    }
    if (args.size() == 2) {
        auto max = named(args[1], "max");
        auto time = max ? seconds(*max) : std::nullopt;
        if (!time) return refuse(cf, "invalid parameter " + quoted(args[1]) + ": max=TIME, " + legal_time);
        heuristic.max_s = *time;
    }
    loc->heuristic.own = heuristic;
    return NGX_CONF_OK;
}

char* set_strip_set_cookie(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (!loc->strip_cookies.own) loc->strip_cookies.own.emplace();
    for (std::string_view name : arguments(cf)) {
        if (name != "*" && !is_token(name))
            return refuse(cf, "invalid cookie name " + quoted(name) + ": a name, or *");
        if (loc->strip_cookies.own->size() == max_strip_cookies)
            return refuse(cf, "too many cookies: at most 64");
        loc->strip_cookies.own->emplace_back(name);
    }
    return NGX_CONF_OK;
}

char* set_targeted(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->targeted.own) return duplicate();
    auto args = arguments(cf);
    auto& names = loc->targeted.own.emplace();
    if (args.size() == 1 && args[0] == "off") return NGX_CONF_OK;
    if (args.size() > max_targeted) return refuse(cf, "too many fields: at most 8");
    for (std::string_view name : args) {
        std::string lower = lower_case(name);
        bool targeted =
            is_token(name) && lower.size() > 14 && lower.substr(lower.size() - 14) == "-cache-control";
        if (!targeted)
            return refuse(
                cf, "invalid field name " + quoted(name) + ": one such as CDN-Cache-Control, or off alone");
        names.emplace_back(name);
    }
    return NGX_CONF_OK;
}

char* set_error_status(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->failures.own) return duplicate();
    Failures failures;
    for (std::string_view text : arguments(cf)) {
        constexpr std::string_view of_render = "render=";
        bool render = text.substr(0, of_render.size()) == of_render;
        std::string_view code = render ? text.substr(of_render.size()) : text;
        StatusSet& statuses = render ? failures.to_render : failures.to_anybody;
        auto status = number(code, StatusSet::first, StatusSet::last);
        if (status) {
            statuses.add(static_cast<unsigned>(*status), static_cast<unsigned>(*status));
        } else if (code == "5xx") {
            statuses.add(500, 599);
        } else {
            return refuse(cf, "invalid status " + quoted(text) + ": 400 to 599 or 5xx, also with render= before it");
        }
    }
    loc->failures.own = failures;
    return NGX_CONF_OK;
}

char* set_csp_nonce(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->keep_nonces.own) return duplicate();
    auto text = arguments(cf)[0];
    if (text != "refuse" && text != "keep")
        return refuse(cf, "invalid value " + quoted(text) + ": refuse or keep");
    loc->keep_nonces.own = text == "keep";
    return NGX_CONF_OK;
}

char* set_authorization(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->authorized.own) return duplicate();
    auto text = arguments(cf)[0];
    if (text != "bypass" && text != "shared")
        return refuse(cf, "invalid value " + quoted(text) + ": bypass or shared");
    loc->authorized.own = text == "shared";
    return NGX_CONF_OK;
}

char* set_invalidate(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->invalidate.own) return duplicate();
    auto text = arguments(cf)[0];
    if (text == "on")
        loc->invalidate.own = PurgeMode::hard;
    else if (text == "soft")
        loc->invalidate.own = PurgeMode::soft;
    else if (text == "off")
        loc->invalidate.own = PurgeMode::none;
    else
        return refuse(cf, "invalid value " + quoted(text) + ": on, soft or off");
    return NGX_CONF_OK;
}

char* set_lock(ngx_conf_t* cf, ngx_command_t*, void* conf) {
    auto* loc = static_cast<LocConf*>(conf);
    if (loc->lock.own) return duplicate();
    auto args = arguments(cf);
    std::string_view text = args[0];
    auto time = text == "off" ? std::optional<ngx_msec_t>(0) : milliseconds(text, 1, 600'000);
    if (!time) return refuse(cf, "invalid value " + quoted(text) + ": off, or a time from 1ms to 10m");
    loc->lock.own = *time;
    loc->lock_store.own = true;
    if (args.size() == 1) return NGX_CONF_OK;
    auto store = named(args[1], "store");
    if (!store || (*store != "on" && *store != "off"))
        return refuse(cf, "invalid parameter " + quoted(args[1]) + ": store=on or store=off");
    loc->lock_store.own = *store == "on";
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

}  // namespace larder::ngx
