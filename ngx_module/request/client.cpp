// A client that leaves while its page, or a fragment of it, is being filled. Other requests may wait for that page,
// so the fill goes on to its end, as with proxy_ignore_client_abort and proxy_cache. A fill whose answer is for this
// client alone ends with the client.
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

// HTTP/2 signals the reset of a stream by a read event. Tell the writing side, which may wait for the stream's
// window.
void on_client_event(ngx_http_request_t* r) {
    if (r->connection->error && r->write_event_handler != nullptr)
        r->write_event_handler(r);
    else
        ngx_http_block_reading(r);
}

// Replaces nginx's read handler on an HTTP/3 stream. When a QUIC connection ends, nginx repeatedly asks the requests
// of its streams to end, until the last stream is closed. A request that fills a page goes on instead, as after any
// other error of its client's connection; QUIC waits for it.
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
    c->write->handler(event);  // nginx uses one handler for both directions; it checks which event it got
}

// Replaces the location's content handler. nginx's upstream module watches the client, and drops the backend's answer
// when the client leaves. It sets its handlers for that when it starts, so replace them right after: nobody watches
// the client then, as with proxy_ignore_client_abort.
ngx_int_t ask_whatever_the_client_does(ngx_http_request_t* r) {
    Ctx* ctx = ctx_of(r);
    ctx->on_client_read = nullptr;
    ngx_int_t rc = ctx->content_handler(r);
    bool waits = rc == NGX_DONE && has_running_upstream(r) && !r->connection->error;
    if (waits && ctx->fill != nullptr && ctx->fill->is_reduced()) {  // waiting for the answer's header
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
    ngx_post_event(r->connection->read, &ngx_posted_events);  // the client may have left before
}

// The test of ngx_http_test_reading(), without its end of the request.
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
    // The client has sent a pipelined request, which nginx reads later. Until then, level-triggered events would
    // repeat for it.
    if (!left && (ngx_event_flags & NGX_USE_LEVEL_EVENT) != 0 && event->active) ngx_del_event(event, NGX_READ_EVENT, 0);
    return left;
}

bool asker_has_left(const Ctx* ctx) {
    return ctx->fill->to_client == ToClient::gone || (ctx->include() != nullptr && !ctx->include()->has_client());
}

bool goes_on_without_client(ngx_http_request_t* r, Ctx* ctx, ngx_int_t rc) {
    if (rc != NGX_ERROR || !r->connection->error || r != r->main || !ctx->fill->is_for_store()) return false;
    ctx->fill->to_client = ToClient::gone;
    // What was on its way to the client must stay in this request's memory: HTTP/2 may still send it, as its frames
    // are in the connection's queue. But nginx must not wait for it: give it other buffers for the rest of the
    // answer.
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
