// nginx itself applies no access rules to subrequests.
#include "ngx_module/request/phase_access.hpp"

#include "ngx_module/pool.hpp"
#include "ngx_module/request/ctx.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/render_call.hpp"

namespace larder::ngx {

// A stored page is given only to visitors whom nginx's access rules admit, so a refresh of it skips preaccess and
// access. A refresh by URL alone (as_visitor) obeys them: its page may become a file that everybody can read. nginx
// skips access for every subrequest; fragments are checked here, so that injected markup can't include what the
// visitor may not see.
ngx_int_t access_handler(ngx_http_request_t* r) {
    Ctx* ctx = ctx_of(r);
    // A fragment with a known location has passed this check before.
    if (ctx != nullptr && ctx->include() != nullptr && ctx->conf == nullptr) {
        bool refused =
            guarded(r->connection->log, "reach of a fragment", true, [&] { return ctx->include()->is_out_of_reach(r); });
        if (refused) return NGX_HTTP_FORBIDDEN;
    }
    if (ctx == nullptr || ctx->role != Role::refresh) return NGX_DECLINED;
    if (ctx->renewal() != nullptr && ctx->renewal()->as_visitor) return NGX_DECLINED;
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
    ngx_http_phase_handler_t* handlers = core->phase_engine.handlers;
    ngx_uint_t next = handlers[r->phase_handler].next;
    if (handlers[next].checker == ngx_http_core_access_phase) next = handlers[next].next;
    r->phase_handler = static_cast<ngx_int_t>(next) - 1;
    return NGX_DECLINED;  // nginx's phase checker adds one
}

}  // namespace larder::ngx
