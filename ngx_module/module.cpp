// The two nginx modules and their phase handlers.
#include "ngx_module/module.hpp"

#include "ngx_module/directives/advice.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/directives/sites.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/page/page.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/filters.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/phase_access.hpp"
#include "ngx_module/request/phase_lookup.hpp"
#include "ngx_module/request/render_call.hpp"
#include "ngx_module/variables.hpp"
#include "ngx_module/worker.hpp"

namespace larder::ngx {

namespace {

bool add_handler(ngx_conf_t* cf, ngx_http_phases phase, ngx_http_handler_pt handler) {
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto* slot = static_cast<ngx_http_handler_pt*>(ngx_array_push(&core->phases[phase].handlers));
    if (slot == nullptr) return false;
    *slot = handler;
    return true;
}

ngx_int_t start_worker(ngx_cycle_t* cycle) {
    return guarded(cycle->log, "start of worker", static_cast<ngx_int_t>(NGX_ERROR), [cycle]() -> ngx_int_t {
        MainConf* conf = main_conf(cycle);
        if (conf == nullptr || conf->zone == nullptr) return NGX_OK;
        if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
            return NGX_OK;  // the cache manager or loader
        attach_zone(conf->zone);
        start_worker_parts(cycle, *conf);
        return NGX_OK;
    });
}

void stop_worker(ngx_cycle_t* cycle) {
    guarded(cycle->log, "end of worker", 0, [] {
        if (has_zone()) stop_worker_parts();
        return 0;
    });
}

ngx_int_t start_master(ngx_cycle_t* cycle) {
    return guarded(cycle->log, "start", static_cast<ngx_int_t>(NGX_ERROR),
                   [cycle] { return prepare_wakeups(cycle); });
}

}  // namespace

ngx_int_t preconfigure(ngx_conf_t* cf) {
    return add_variables(cf);
}

ngx_int_t postconfigure(ngx_conf_t* cf) {
    auto* conf = static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_larder_module));
    if (!conf->used && conf->zone == nullptr) return NGX_OK;
    bool named = guarded(cf->log, "configuration", false, [cf, conf] {
        name_sites(cf);
        give_advice(cf, *conf);
        return true;
    });
    if (!named) return NGX_ERROR;
    install_header_filter();
    start_page = assemble_page;
    // Unlike the access phase, precontent runs for subrequests as well, and after auth_request and limit_req.
    bool ok = (conf->render_signer == nullptr || add_handler(cf, NGX_HTTP_POST_READ_PHASE, render_call_handler)) &&
              add_handler(cf, NGX_HTTP_PREACCESS_PHASE, access_handler) &&
              add_handler(cf, NGX_HTTP_PRECONTENT_PHASE, lookup_handler) &&
              add_handler(cf, NGX_HTTP_LOG_PHASE, log_handler);
    ngx_str_t scheme = ngx_string("scheme"), https = ngx_string("https"), method = ngx_string("request_method");
    conf->scheme_index = ngx_http_get_variable_index(cf, &scheme);
    conf->https_index = ngx_http_get_variable_index(cf, &https);
    conf->request_method_index = ngx_http_get_variable_index(cf, &method);
    ok = ok && conf->scheme_index != NGX_ERROR && conf->https_index != NGX_ERROR &&
         conf->request_method_index != NGX_ERROR;
    return ok ? NGX_OK : NGX_ERROR;
}

ngx_int_t postconfigure_body(ngx_conf_t* cf) {
    auto* conf = static_cast<MainConf*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_larder_module));
    if (conf->used || conf->zone != nullptr) install_body_filter();
    return NGX_OK;
}

LocConf* loc_conf(ngx_http_request_t* r) {
    return static_cast<LocConf*>(ngx_http_get_module_loc_conf(r, ngx_http_larder_module));
}

SrvConf* srv_conf(ngx_http_request_t* r) {
    return static_cast<SrvConf*>(ngx_http_get_module_srv_conf(r, ngx_http_larder_module));
}

MainConf* main_conf(ngx_http_request_t* r) {
    return static_cast<MainConf*>(ngx_http_get_module_main_conf(r, ngx_http_larder_module));
}

MainConf* main_conf(ngx_cycle_t* cycle) {
    if (cycle->conf_ctx[ngx_http_module.index] == nullptr) return nullptr;  // no http block
    return static_cast<MainConf*>(ngx_http_cycle_get_module_main_conf(cycle, ngx_http_larder_module));
}

namespace {
ngx_http_module_t body_module_context = {
    nullptr, postconfigure_body, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
};
}  // namespace

}  // namespace larder::ngx

extern "C" {

ngx_module_t ngx_http_larder_module = {
    NGX_MODULE_V1,
    &larder::ngx::module_context,
    larder::ngx::directives,
    NGX_HTTP_MODULE,
    nullptr,
    larder::ngx::start_master,
    larder::ngx::start_worker,
    nullptr,
    nullptr,
    larder::ngx::stop_worker,
    nullptr,
    NGX_MODULE_V1_PADDING,
};

ngx_module_t ngx_http_larder_body_module = {
    NGX_MODULE_V1, &larder::ngx::body_module_context,
    nullptr,       NGX_HTTP_MODULE,
    nullptr,       nullptr,
    nullptr,       nullptr,
    nullptr,       nullptr,
    nullptr,       NGX_MODULE_V1_PADDING,
};
}
