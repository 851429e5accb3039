// The worker's own refresh is a request without a client: nginx runs it like any other, from the rewrite phase on, and the
// answer is captured like any other, but sent nowhere. Its connection is one end of a socket pair, so that nginx's code, which
// wants a file descriptor, finds a good one; nothing is ever written to it. Not being a subrequest, it keeps no client waiting.
#include "ngx_module/request/refresh.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <deque>

#include "cache/request/variant.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/nginx_versions.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/request.hpp"
#include "ngx_module/stores/stores.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// How long a stale hit does not ask the daemon again. The queue drops duplicates; this spares it most of them.
constexpr std::int64_t daemon_lease_ms = 2000;
// The worker's own refresh ends this by itself; it is for a worker that dies.
constexpr std::int64_t worker_lease_ms = 60'000;
constexpr unsigned max_running = 4;  // a backend that just slowed down does not need more from each worker
constexpr std::size_t max_queued = 4096;

// All that is needed of the request that found the entry stale; it may be gone before the refresh begins.
struct Refresh {
    Key key;
    std::string variant, target;
    const LocConf* conf;
    std::optional<Policy> own_policy;
    ngx_http_conf_ctx_t* server;
    ngx_http_addr_conf_t* address;
    ngx_listening_t* listening;
    std::string local;  // sockaddr that the client connected to
    std::string server_name;
    in_port_t port;       // as the client named it
    std::string cookies;  // for the backend
    bool personal, near_only;
    bool https;
};

std::deque<Refresh> queue;
unsigned running;
ngx_event_t start_event;

void schedule() {
    if (ngx_exiting) {  // a worker that has to end leaves them to the others
        for (const Refresh& refresh : queue) zone().postpone_refresh(refresh.key, now_ms());
        return queue.clear();
    }
    if (running < max_running && !queue.empty()) {
        ngx_post_event(&start_event, &ngx_posted_events);
    }
}

Refresh describe(ngx_http_request_t* r, Ctx* ctx) {
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    if (!variant) throw std::runtime_error(why);
    Refresh refresh;
    refresh.key = ctx->key;
    refresh.variant = view(ctx->variant);
    // Rewrites happen again, so they must get what the client sent.
    refresh.target = r == r->main ? std::string(view(r->unparsed_uri)) : variant->target();
    refresh.conf = ctx->conf;
    refresh.own_policy = ctx->own_policy;
    refresh.server =
        static_cast<ngx_http_core_srv_conf_t*>(ngx_http_get_module_srv_conf(r, ngx_http_core_module))->ctx;
    refresh.address = r->main->http_connection->addr_conf;  // subrequests have none
    refresh.listening = r->connection->listening;
    ngx_connection_t* c = r->connection;
    // This asks the kernel if nginx listens on all addresses.
    if (ngx_connection_local_sockaddr(c, nullptr, 0) == NGX_OK) {
        refresh.local.assign(reinterpret_cast<const char*>(c->local_sockaddr), c->local_socklen);
    }
    refresh.server_name = view(r->headers_in.server);
    refresh.port = named_port(r);
    refresh.https = variant->scheme == "https";
    refresh.cookies = backend_cookies(r, ctx);
    refresh.personal = ctx->personal;
    refresh.near_only = ctx->near_only;
    return refresh;
}

// Lives in the request's pool: its end is the refresh's end.
struct Running {
    Ctx* ctx = nullptr;
    Key key;

    ~Running() {
        running--;
        zone().postpone_refresh(key, now_ms() + refresh_retry_ms);
        schedule();
    }
};

struct OtherEnd {
    int fd;
    ~OtherEnd() { close(fd); }
};

// Nothing ever comes, but when worker_shutdown_timeout has passed nginx says so here.
void on_connection_event(ngx_event_t* event) {
    auto* c = static_cast<ngx_connection_t*>(event->data);
    if (!c->close) return;
    auto* r = static_cast<ngx_http_request_t*>(c->data);
    r->main->count++;  // what it waits for lets go of it on the way
    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}

ngx_connection_t* open_connection(const Refresh& refresh) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return nullptr;
    ngx_pool_t* pool = ngx_create_pool(1024, ngx_cycle->log);
    ngx_connection_t* c = pool != nullptr ? ngx_get_connection(ends[0], ngx_cycle->log) : nullptr;
    if (c == nullptr) {
        if (pool != nullptr) ngx_destroy_pool(pool);
        close(ends[0]);
        close(ends[1]);
        return nullptr;
    }
    c->pool = pool;
    make<OtherEnd>(pool, ends[1]);
    auto* log = static_cast<ngx_log_t*>(ngx_pcalloc(pool, sizeof(ngx_log_t)));
    auto* log_context = static_cast<ngx_http_log_ctx_t*>(ngx_pcalloc(pool, sizeof(ngx_http_log_ctx_t)));
    auto* address = static_cast<sockaddr_un*>(ngx_pcalloc(pool, sizeof(sockaddr_un)));
    auto* local = static_cast<sockaddr*>(ngx_pcalloc(pool, sizeof(sockaddr_storage)));
    if (log == nullptr || log_context == nullptr || address == nullptr || local == nullptr)
        throw std::bad_alloc();
    ngx_memcpy(local, refresh.local.data(), refresh.local.size());
    *log = *ngx_cycle->log;
    log->connection = c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    log->data = log_context;
    log->handler = nullptr;
    log_context->connection = c;
    address->sun_family = AF_UNIX;
    c->log = c->read->log = c->write->log = pool->log = log;
    c->sockaddr = reinterpret_cast<sockaddr*>(address);
    c->socklen = sizeof(sa_family_t);
    c->addr_text = ngx_string("unix:");
    c->listening = refresh.listening;
    c->local_sockaddr = local;
    c->local_socklen = static_cast<socklen_t>(refresh.local.size());
    c->type = SOCK_STREAM;
    // These are of TCP alone.
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->read->handler = on_connection_event;
    c->write->handler = [](ngx_event_t*) {};
    c->write->ready = 1;
#if (NGX_STAT_STUB)
    ngx_atomic_fetch_add(ngx_stat_active, 1);  // closing takes it off again
#endif
    return c;
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

void set_variable(ngx_http_request_t* r, ngx_int_t index, std::string_view value) {
    ngx_http_variable_value_t& variable = r->variables[index];
    variable.len = value.size() & 0xfffffff;
    variable.data = str(value).data;
    variable.valid = 1;
    variable.not_found = 0;
    variable.no_cacheable = 0;
}

void run(const Refresh& refresh) {
    ngx_connection_t* c = open_connection(refresh);
    if (c == nullptr) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno, "larder: no connection for a refresh");
        return;
    }
    auto* http = static_cast<ngx_http_connection_t*>(ngx_pcalloc(c->pool, sizeof(ngx_http_connection_t)));
    if (http == nullptr) throw std::bad_alloc();
    http->conf_ctx = refresh.server;
    http->addr_conf = refresh.address;
    c->data = http;
    ngx_http_request_t* r = ngx_http_create_request(c);
    if (r == nullptr) throw std::bad_alloc();
    c->data = r;
    running++;
    make<Running>(r->pool)->key = refresh.key;
    count(near_cache::Counter::inline_refreshes);

    r->logged = 1;  // no line in the access log
    r->internal = 1;
    r->discard_body = 1;
    r->read_event_handler = ngx_http_block_reading;
    r->headers_in.server = copy(r->pool, refresh.server_name);
    set_named_port(r, refresh.port);
    r->headers_in.content_length_n = -1;
    r->headers_in.keep_alive_n = -1;
    if (ngx_list_init(&r->headers_in.headers, r->pool, 4, sizeof(ngx_table_elt_t)) != NGX_OK ||
        !parse_target(r, refresh.target)) {
        return ngx_http_finalize_request(r, NGX_ERROR);
    }
    if (ngx_http_process_request_uri(r) != NGX_OK) return;  // it has ended the request
    MainConf* main = main_conf(r);
    if (refresh.https) {
        set_variable(r, main->scheme_index, "https");
        set_variable(r, main->https_index, "on");
    }
    Ctx* ctx = new_ctx(r, refresh.conf, Role::refresh);
    ctx->key = refresh.key;
    ctx->variant = copy(r->pool, refresh.variant);
    ctx->cookies = refresh.cookies;
    ctx->personal = refresh.personal;
    ctx->near_only = refresh.near_only;
    ctx->own_policy = refresh.own_policy;
    ctx->eligible = true;
    ngx_http_handler(r);
    ngx_http_run_posted_requests(c);
}

void on_start(ngx_event_t* event) {
    while (running < max_running && !queue.empty()) {
        Refresh next = std::move(queue.front());
        queue.pop_front();
        guarded(event->log, "refresh", 0, [&next] {
            run(next);
            return 0;
        });
    }
}

void enqueue_here(Refresh refresh) {
    if (queue.size() >= max_queued) {
        zone().postpone_refresh(refresh.key, now_ms() + refresh_retry_ms);
        return;
    }
    start_event.handler = on_start;
    start_event.log = ngx_cycle->log;
    queue.push_back(std::move(refresh));
    schedule();
}

Job make_job(const Refresh& refresh) {
    Job job;
    job.reason = JobReason::stale;
    job.enqueued_ms = now_ms();
    const Where& where = refresh.conf->where.value();
    job.fence = fence_now(where.store);
    job.store = where.store->name;
    job.policy = refresh.own_policy.value_or(refresh.conf->policy);
    job.variant = refresh.variant;
    return job;
}

void ask_daemon(Refresh refresh) {
    Job job = make_job(refresh);
    Key key = refresh.key;
    enqueue_job(key, job, [refresh = std::move(refresh)](Enqueued result) {
        switch (result) {
            case Enqueued::queued:
                count(near_cache::Counter::jobs_queued);
                break;
            case Enqueued::duplicate:
                count(near_cache::Counter::jobs_duplicate);
                break;
            case Enqueued::nobody:
                count(near_cache::Counter::jobs_failed);
                zone().postpone_refresh(refresh.key, now_ms() + worker_lease_ms);
                enqueue_here(refresh);
                break;
        }
    });
}

}  // namespace

void request_refresh(ngx_http_request_t* r, Ctx* ctx) {
    RefreshMode mode = ctx->conf->refresh.value();
    if (mode == RefreshMode::off) return;
    // The daemon can write to stores, not into near caches; and a person's cookies are nobody's business but this worker's.
    bool by_daemon = mode == RefreshMode::daemon && has_daemon() && !ctx->personal &&
                     ctx->conf->where.value().store != nullptr;
    if (!zone().claim_refresh(ctx->key, now_ms(), by_daemon ? daemon_lease_ms : worker_lease_ms)) return;
    if (by_daemon)
        ask_daemon(describe(r, ctx));
    else
        enqueue_here(describe(r, ctx));
}

void stop_refreshes() {
    queue.clear();
}

}  // namespace larder::ngx
