// A client that leaves while a page is filled, or one of its fragments (page/page.cpp). Others may wait for that page, and the next visitor wants it: so the fill goes on
// to its end, as with proxy_cache. What turns out to be for this client alone ends with it.
#include "ngx_module/request/client.hpp"

#include <utility>

#include "ngx_module/nginx_versions.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/fragment.hpp"

namespace larder::ngx {

namespace {

bool has_running_upstream(const ngx_http_request_t* r) {
    return r->upstream != nullptr && r->upstream->cleanup != nullptr;
}

// HTTP/2 tells by an event for reading that a stream was reset. What waits to be written has to learn of it.
void on_client_event(ngx_http_request_t* r) {
    if (r->connection->error && r->write_event_handler != nullptr)
        r->write_event_handler(r);
    else
        ngx_http_block_reading(r);
}

// In the place of nginx's handler for reading on a stream of HTTP/3. When a QUIC connection ends, nginx has the requests of all its
// streams ended, again and again until the last stream is closed. One that fills a page goes on as after any other error of its
// client's connection: QUIC waits for it.
void on_quic_event(ngx_event_t* event) {
    auto* c = static_cast<ngx_connection_t*>(event->data);
    ngx_http_request_t* r = static_cast<ngx_http_request_t*>(c->data)->main;
    if (const Ctx* ctx = ctx_of(r); ends_with_quic_connection(c) && ctx != nullptr && ctx->fill != nullptr) {
        bool undecided = ctx->on_client_read != nullptr;
        if (has_running_upstream(r) && (undecided || ctx->fill->is_for_store())) {
            c->close = 0;
            c->error = 1;
        }
    }
    c->write->handler(event);  // nginx has one for both; it asks the event which it is
}

// The location's content handler. nginx's upstream module has the client looked at, and gives up the backend's answer when the
// client leaves. It sets the handlers for that when it begins, so they are replaced as soon as it has begun; as with
// proxy_ignore_client_abort, nobody then looks.
ngx_int_t ask_whatever_the_client_does(ngx_http_request_t* r) {
    Ctx* ctx = ctx_of(r);
    ctx->on_client_read = nullptr;
    ngx_int_t rc = ctx->content_handler(r);
    bool waits = rc == NGX_DONE && has_running_upstream(r) && !r->connection->error;
    if (waits && ctx->fill != nullptr && ctx->fill->is_reduced()) {  // the header section of the answer is still to come
        ctx->on_client_read = std::exchange(r->read_event_handler, on_client_event);
        r->write_event_handler = ngx_http_request_empty_handler;
        if (is_quic_stream(r->connection)) r->connection->read->handler = on_quic_event;  // never throws
    }
    return rc;
}

}  // namespace

void look_away_from_client(ngx_http_request_t* r, Ctx* ctx) {
    bool has_client = ctx->role == Role::client && r == r->main;
    if (!has_client || r->content_handler == nullptr || r->content_handler == ask_whatever_the_client_does) return;
    ctx->content_handler = r->content_handler;
    r->content_handler = ask_whatever_the_client_does;  // never throws
}

void look_at_client_again(ngx_http_request_t* r, Ctx* ctx) {
    ngx_http_event_handler_pt handler = std::exchange(ctx->on_client_read, nullptr);
    if (handler == nullptr || r->read_event_handler != on_client_event || !has_running_upstream(r)) return;
    r->read_event_handler = handler;  // never throws: it is nginx's
    ngx_post_event(r->connection->read, &ngx_posted_events);  // it may have left before
}

// As ngx_http_test_reading() finds out, which ends the request at once.
bool client_has_left(const ngx_http_request_t* r) {
    ngx_connection_t* c = r->connection;
    ngx_event_t* event = c->read;
    if (c->error || event->pending_eof) return true;
#if (NGX_HTTP_V2)
    if (r->stream != nullptr) return false;
#endif
#if (NGX_HTTP_V3)
    if (c->quic != nullptr) return event->error;
#endif
    char byte;
    ssize_t size = recv(c->fd, &byte, 1, MSG_PEEK);
    bool left = size == 0 || (size == -1 && ngx_socket_errno != NGX_EAGAIN);
    // What it sends ahead is read in its turn; until then it is no news.
    if (!left && (ngx_event_flags & NGX_USE_LEVEL_EVENT) != 0 && event->active) ngx_del_event(event, NGX_READ_EVENT, 0);
    return left;
}

bool asker_has_left(const Ctx* ctx) {
    return ctx->fill->to_client == ToClient::gone || (ctx->include() != nullptr && !ctx->include()->has_client());
}

bool goes_on_without_client(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc) {
    if (rc != NGX_ERROR || !r->connection->error || r != r->main || !ctx->fill->is_for_store()) return false;
    ctx->fill->to_client = ToClient::gone;
    // What was on its way to the client stays as it is, in this request's memory: HTTP/2 may still send it, as its frames are
    // promised to the connection. nginx must not wait for it, though, and gets other buffers for the rest of the answer.
    if (ngx_http_upstream_t* u = r->upstream; u != nullptr) {
        u->busy_bufs = nullptr;
        if (u->buffering && u->pipe != nullptr) {
            u->pipe->busy = nullptr;
            u->pipe->allocated = 0;
        }
    }
    return true;
}

}  // namespace larder::ngx
