// Does for a page what nginx's upstream module does between two pieces of an answer.
#include "ngx_module/page/page_client.hpp"

#include "ngx_module/request/client.hpp"
#include "ngx_module/request/headers.hpp"

namespace larder::ngx {

namespace {

void on_readable(ngx_http_request_t* r) {
    if (client_has_left(r)) on_client_left(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}

void on_writable(ngx_http_request_t* r) {
    ngx_connection_t* c = r->connection;
    if (c->write->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "client timed out");
        c->timedout = 1;
        return on_client_left(r, NGX_HTTP_REQUEST_TIME_OUT);
    }
    if (!c->write->delayed && ngx_http_output_filter(r, nullptr) == NGX_ERROR) return on_client_left(r, NGX_ERROR);
    wait_for_client(r);
}

}  // namespace

void watch_client(ngx_http_request_t* r) {
    r->read_event_handler = on_readable;  // never throws
}

// Between two pieces of the page, send_timeout applies to data that the client has not taken. Waiting for fragments
// has timeouts of its own.
void wait_for_client(ngx_http_request_t* r) {
    ngx_connection_t* c = r->connection;
    if (r == r->main) r->read_event_handler = on_readable;  // never throws
    if (r != c->data) return;  // nginx is sending another part of the answer
    r->write_event_handler = on_writable;  // never throws
    if (c->write->delayed) return;  // limit_rate delays the output
    if (!c->buffered) {
        if (c->write->timer_set) ngx_del_timer(c->write);
        return;
    }
    const ngx_http_core_loc_conf_t* core = core_location(r);
    ngx_add_timer(c->write, core->send_timeout);
    if (ngx_handle_write_event(c->write, core->send_lowat) != NGX_OK) on_client_left(r, NGX_ERROR);
}

}  // namespace larder::ngx
