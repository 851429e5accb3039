// Replaces the backend's answer by another one. nginx calls our filters while it sends the backend's answer, and
// another one can't begin there. So we drop the rest of the backend's answer, and an event at the end of this turn of
// the event loop starts the substitute, when the upstream has ended. The substitute passes through all of nginx's
// filters, error_page included.
#include "ngx_module/request/substitute.hpp"

#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/serve.hpp"

namespace larder::ngx {

ngx_int_t answer_instead(Ctx* ctx, Substitute substitute) {
    ctx->request->buffered |= larder_buffered;  // makes nginx keep the request until then
    ctx->substitution = std::make_unique<Substitution>();
    ctx->substitution->answer = substitute;
    ctx->substitution->event.bind<&Ctx::begin_substitute>(ctx, ctx->request->connection->log);
    ctx->substitution->event.post();
    return NGX_OK;
}

void Ctx::begin_substitute() {
    ngx_http_request_t* r = request;
    ngx_connection_t* c = r->connection;
    const Substitute answer = substitution->answer;
    substitution.reset();
    end_upstream(r);
    retire_fill(this);
    r->buffered &= 0xf & ~larder_buffered;
    if (r == r->main && c->write->timer_set) ngx_del_timer(c->write);
    clear_response_headers(r);
    r->err_status = 0;
    r->disable_not_modified = 0;  // the upstream module has disabled them, for the client's conditions to reach only the backend
    status = answer.status;
    ngx_int_t rc = answer.error;
    if (rc == 0) {
        phase = Phase::serving;
        rc = ngx_http_discard_request_body(r);
        if (rc == NGX_OK) rc = send_entry(r, this);
    }
    // `this` may be destroyed from here on.
    if (rc != NGX_DONE) ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}

void Ctx::failed() noexcept {
    ngx_connection_t* c = request->connection;
    ngx_http_finalize_request(request, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}

void end_upstream(ngx_http_request_t* r) {
    ngx_http_upstream_t* u = r->upstream;
    if (u == nullptr || u->cleanup == nullptr) return;
    r->main->count++;  // the cleanup releases one reference, as when ngx_http_upstream_create() replaces an upstream
    (*u->cleanup)(r);
}

}  // namespace larder::ngx
