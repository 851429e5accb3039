#include "ngx_module/request/own_request.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/nginx_versions.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

struct OtherEnd {
    int fd;
    ~OtherEnd() { close(fd); }
};

// No data ever arrives. nginx calls this when worker_shutdown_timeout has passed, with `close` set: end the request.
void on_connection_event(ngx_event_t* event) {
    auto* c = static_cast<ngx_connection_t*>(event->data);
    if (!c->close) return;
    auto* r = static_cast<ngx_http_request_t*>(c->data);
    r->main->count++;  // extra reference: a pending upstream releases one while we finalize
    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}

template <typename T>
T* zeroed(ngx_pool_t* pool, std::size_t bytes = sizeof(T)) {
    auto* made = static_cast<T*>(ngx_pcalloc(pool, bytes));
    if (made == nullptr) throw std::bad_alloc();
    return made;
}

sockaddr* address_of(ngx_pool_t* pool, const std::string& bytes) {
    auto* address = zeroed<sockaddr>(pool, sizeof(sockaddr_storage));
    ngx_memcpy(address, bytes.data(), std::min(bytes.size(), sizeof(sockaddr_storage)));
    return address;
}

// Owns a new connection until a request takes it over.
class OwnConnection {
public:
    OwnConnection() {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return;
        ngx_pool_t* pool = ngx_create_pool(1024, ngx_cycle->log);
        c_ = pool != nullptr ? ngx_get_connection(ends[0], ngx_cycle->log) : nullptr;
        if (c_ == nullptr) {
            if (pool != nullptr) ngx_destroy_pool(pool);
            close(ends[0]);
            close(ends[1]);
            return;
        }
        c_->pool = pool;
        try {
            make<OtherEnd>(pool, ends[1]);
        } catch (...) {
            close(ends[1]);
            end();
            throw;
        }
    }
    ~OwnConnection() { end(); }
    OwnConnection(const OwnConnection&) = delete;
    OwnConnection& operator=(const OwnConnection&) = delete;

    ngx_connection_t* get() const { return c_; }
    ngx_connection_t* release() { return std::exchange(c_, nullptr); }

private:
    void end() {
        if (c_ == nullptr) return;
        ngx_pool_t* pool = c_->pool;
        ngx_close_connection(c_);
        ngx_destroy_pool(pool);
        c_ = nullptr;
    }

    ngx_connection_t* c_ = nullptr;
};

void set_up(ngx_connection_t* c, const OwnRequest& wanted) {
    ngx_pool_t* pool = c->pool;
    auto* log = zeroed<ngx_log_t>(pool);
    auto* log_context = zeroed<ngx_http_log_ctx_t>(pool);
    *log = *ngx_cycle->log;
    log->connection = c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    log->data = log_context;
    log->handler = nullptr;
    log_context->connection = c;
    c->log = c->read->log = c->write->log = pool->log = log;
    if (wanted.client.empty()) {
        c->sockaddr = address_of(pool, {});
        c->sockaddr->sa_family = AF_UNIX;
        c->socklen = sizeof(sa_family_t);
        c->addr_text = ngx_string("unix:");
    } else {
        c->sockaddr = address_of(pool, wanted.client);
        c->socklen = static_cast<socklen_t>(wanted.client.size());
        c->addr_text = copy(pool, wanted.client_text);
        if (c->addr_text.data == nullptr) throw std::bad_alloc();
    }
    c->listening = wanted.listening;
    if (wanted.local.empty()) {
        c->local_sockaddr = wanted.listening->sockaddr;
        c->local_socklen = wanted.listening->socklen;
    } else {
        c->local_sockaddr = address_of(pool, wanted.local);
        c->local_socklen = static_cast<socklen_t>(wanted.local.size());
    }
    c->type = SOCK_STREAM;
    // Options of TCP; this is a Unix socket.
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->read->handler = on_connection_event;  // never throws
    c->write->handler = [](ngx_event_t*) {};  // never throws
    c->write->ready = 1;
    auto* http = zeroed<ngx_http_connection_t>(pool);
    http->conf_ctx = wanted.server != nullptr ? wanted.server : wanted.address->default_server->ctx;
    http->addr_conf = wanted.address;
    c->data = http;
}

bool parse_target(ngx_http_request_t* r, const std::string& target) {
    ngx_str_t line = copy(r->pool, "GET " + target + " HTTP/1.1\r\n");
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
    if (line.data == nullptr || buffer == nullptr) throw std::bad_alloc();
    buffer->start = buffer->pos = line.data;
    buffer->last = buffer->end = line.data + line.len;
    buffer->temporary = 1;
    r->header_in = buffer;
    if (ngx_http_parse_request_line(r, buffer) != NGX_OK) return false;
    r->request_line = {static_cast<std::size_t>(r->request_end - r->request_start), r->request_start};
    r->request_length = r->header_in->pos - r->request_start;
    r->method_name = {static_cast<std::size_t>(r->method_end - r->request_start + 1), r->request_start};
    if (r->http_protocol.data != nullptr)
        r->http_protocol.len = static_cast<std::size_t>(r->request_end - r->http_protocol.data);
    return true;
}

// Handles the fields as nginx does for a client's request. False: nginx has ended the request.
bool take_fields(ngx_http_request_t* r, const OwnRequest& wanted) {
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
    for (const auto& [name, value] : wanted.fields) {
        ngx_table_elt_t* field = push_header(r, &r->headers_in.headers, name, value);
        if (wanted.server != nullptr && equals(field->key, "host")) {  // the server is chosen already
            r->headers_in.host = field;
            continue;
        }
        auto* header = static_cast<ngx_http_header_t*>(
            ngx_hash_find(&core->headers_in_hash, field->hash, field->lowcase_key, field->key.len));
        if (header != nullptr && header->handler(r, field, header->offset) != NGX_OK) return false;
    }
    return true;
}

void set_variable(ngx_http_request_t* r, ngx_int_t index, std::string_view value) {
    ngx_http_variable_value_t& variable = r->variables[index];
    variable.len = value.size() & 0xfffffff;
    variable.data = str(value).data;
    variable.valid = 1;
    variable.not_found = 0;
    variable.no_cacheable = 0;
}

// Fills in what nginx would have read from a client. False: nginx has ended the request.
bool fill_in(ngx_http_request_t* r, const OwnRequest& wanted) {
    r->logged = 1;  // no line in the access log
    r->internal = 1;
    r->discard_body = 1;
    r->limit_req_status = r->limit_conn_status = 1;  // count as passed: these limits are for visitors
    r->read_event_handler = ngx_http_block_reading;
    r->headers_in.content_length_n = -1;
    r->headers_in.keep_alive_n = -1;
    if (ngx_list_init(&r->headers_in.headers, r->pool, 16, sizeof(ngx_table_elt_t)) != NGX_OK)
        throw std::bad_alloc();
    if (!parse_target(r, wanted.target)) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return false;
    }
    if (ngx_http_process_request_uri(r) != NGX_OK || !take_fields(r, wanted)) return false;
    if (wanted.server != nullptr) {
        r->headers_in.server = copy(r->pool, wanted.server_name);
        if (r->headers_in.server.data == nullptr) throw std::bad_alloc();
    }
    set_named_port(r, wanted.port);
    MainConf* main = main_conf(r);
    if (is_https(r)) {
        set_variable(r, main->scheme_index, "https");
        set_variable(r, main->https_index, "on");
    }
    return true;
}

}  // namespace

OwnRequest resembling(ngx_http_request_t* r) {
    ngx_connection_t* c = r->connection;
    OwnRequest own;
    own.listening = c->listening;
    own.address = r->main->http_connection->addr_conf;  // only main requests have one
    own.server =
        static_cast<ngx_http_core_srv_conf_t*>(ngx_http_get_module_srv_conf(r, ngx_http_core_module))->ctx;
    // Asks the kernel, if nginx listens on a wildcard address.
    if (ngx_connection_local_sockaddr(c, nullptr, 0) == NGX_OK)
        own.local.assign(reinterpret_cast<const char*>(c->local_sockaddr), c->local_socklen);
    own.client.assign(reinterpret_cast<const char*>(c->sockaddr), c->socklen);
    own.client_text = view(c->addr_text);
    own.server_name = view(r->headers_in.server);
    own.fields = fields_of_visitor(r);
    own.port = named_port(r);
    return own;
}

ngx_http_request_t* open_request(const OwnRequest& wanted) {
    OwnConnection connection;
    if (connection.get() == nullptr) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno, "larder: no connection for a request of its own");
        return nullptr;
    }
    set_up(connection.get(), wanted);
    ngx_http_request_t* r = ngx_http_create_request(connection.get());
    if (r == nullptr) throw std::bad_alloc();
    ngx_connection_t* c = connection.release();
    c->data = r;
#if (NGX_STAT_STUB)
    ngx_atomic_fetch_add(ngx_stat_active, 1);  // nginx decrements it when it closes the connection
#endif
    try {
        return fill_in(r, wanted) ? r : nullptr;
    } catch (...) {
        ngx_http_finalize_request(r, NGX_ERROR);
        throw;
    }
}

bool is_own(const ngx_http_request_t* r) {
    return r->connection->read->handler == on_connection_event;
}

void start(ngx_http_request_t* r) {
    ngx_connection_t* c = r->connection;
    ngx_http_handler(r);
    ngx_http_run_posted_requests(c);
}

}  // namespace larder::ngx
