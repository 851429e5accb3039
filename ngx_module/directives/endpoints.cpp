// larder_status and larder_purge: locations that Larder itself answers.
#include "ngx_module/endpoints.hpp"
#include "ngx_module/directives/arguments.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/directives/setters.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

char* set_handler(ngx_conf_t* cf, ngx_http_handler_pt handler) {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    core->handler = handler;  // guarded
    return NGX_CONF_OK;
}

}  // namespace

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

}  // namespace larder::ngx
