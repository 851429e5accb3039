// larder_esi and larder_esi_cookie: pages of fragments.
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

}  // namespace larder::ngx
