// Regeneration of stale pages: by a job for larderd, or by a request of this worker's own, which has the visitor's
// fields until the lookup.
#include "ngx_module/request/refresh.hpp"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "cache/request/variant.hpp"
#include "ngx_module/events.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/ctx.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/permit.hpp"
#include "ngx_module/request/own_request.hpp"
#include "ngx_module/request/render_call.hpp"
#include "ngx_module/request/target.hpp"
#include "ngx_module/request/variant.hpp"
#include "ngx_module/stores/topics/jobs.hpp"
#include "ngx_module/stores/topics/purges.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// How long after a job no other is sent for the same key. The queue drops duplicates; this saves most of the
// attempts.
constexpr std::int64_t daemon_lease_ms = 2000;
// Expires the claim of a worker that died. Otherwise the end of the worker's refresh ends it.
constexpr std::int64_t worker_lease_ms = 60'000;

// What a refresh needs of the request that found the entry stale. That request may be gone before the refresh begins.
struct Refresh {
    Key key;
    std::string variant;
    const LocConf* conf;
    std::optional<Policy> own_policy;
    OwnRequest request;
    std::string cookies;  // the Cookie field for the backend
    std::string asked_at;  // the URL of this nginx for larderd; empty: unknown
    bool personal, near_only;
};

// A queue of refreshes of one kind, with a limit of its own.
struct Line {
    const unsigned most_running;
    const std::size_t most_queued;
    std::deque<Refresh> queue{};
    unsigned running = 0;

    bool may_run() const { return running < most_running && !queue.empty(); }
};

// Few per worker: the backend may be slow already.
Line of_stale_pages{4, 4096};
// A page does not wait for fragments that are slow, and the author of its markup decides how many there are.
Line of_abandoned_fragments{1, 64};
Line* const all_lines[] = {&of_stale_pages, &of_abandoned_fragments};

// Keys of pages that our requests can't render, because the configuration leads them elsewhere. Visitors' requests
// render these. Each is remembered for pass_ms, then tried again.
class Misled {
public:
    void remember(const Key& key) {
        if (until_.size() >= most) until_.clear();
        until_[key.text()] = now_ms() + pass_ms;
    }
    bool has(const Key& key) {
        if (until_.empty()) return false;
        auto found = until_.find(key.text());
        if (found == until_.end()) return false;
        if (found->second > now_ms()) return true;
        until_.erase(found);
        return false;
    }

private:
    static constexpr std::size_t most = 1024;
    std::unordered_map<std::string, std::int64_t> until_;  // expiry, Unix time in ms
};
Misled misled;

// For the log: the headers and cookies that the configuration has evaluated and the variant does not hold, each with
// the directive that would put it into the variant.
std::string looked_at_beyond(ngx_http_request_t* r, const Variant& variant) {
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
    auto* definitions = static_cast<ngx_http_variable_t*>(core->variables.elts);
    std::string text;
    auto add = [&text](const char* directive, std::string_view name) {
        text.append(text.empty() ? "" : ", ").append(directive).append(" ").append(name);
    };
    for (ngx_uint_t i = 0; i < core->variables.nelts; i++) {
        bool looked_at = r->variables[i].valid || r->variables[i].not_found;
        std::string name(view(definitions[i].name));
        if (looked_at && name.compare(0, 5, "http_") == 0 && name != "http_host") {
            name.erase(0, 5);
            std::replace(name.begin(), name.end(), '_', '-');
            auto is_it = [&name](const NamedValue& held) { return held.name == name; };
            if (std::none_of(variant.headers.begin(), variant.headers.end(), is_it)) add("larder_header", name);
        } else if (looked_at && name.compare(0, 7, "cookie_") == 0) {
            name.erase(0, 7);
            auto is_it = [&name](const KeptCookie& held) { return held.name == name; };
            if (std::none_of(variant.cookies.begin(), variant.cookies.end(), is_it)) add("larder_cookie", name);
        }
    }
    return text;
}

// Logs that our request can't render the page, and what the configuration looked at. Notes it for visitors or for the
// caller.
void give_up(ngx_http_request_t* r, const Ctx* ctx, std::string text) {
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    if (!variant) throw std::runtime_error(why);
    std::string looked_at = looked_at_beyond(r, *variant);
    if (looked_at.empty())
        text += "The configuration looks at something that no directive names";
    else
        text += "The configuration looks at what the key doesn't hold: " + looked_at;
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "larder: a request to make %s anew: %s",
                  variant->url().c_str(), text.c_str());
    if (Renewal* renewal = ctx->renewal())  // larderd asks nginx instead, which has the visitor's fields
        renewal->report = {RenderResult::misled, 0, 0, {}, text};
    else
        misled.remember(ctx->key);
}

void run_queues();

// Starts refreshes from an event of their own.
struct Start {
    static constexpr const char* event_name = "refresh";
    void go() { run_queues(); }
    void failed() noexcept {}
    Event event;
};
Start start_of_queue;

void schedule() {
    if (ngx_exiting) {  // a worker that shuts down leaves them to the others
        for (Line* line : all_lines) {
            for (const Refresh& refresh : line->queue) zone().postpone_refresh(refresh.key, now_ms());
            line->queue.clear();
        }
        return;
    }
    if (std::any_of(std::begin(all_lines), std::end(all_lines), [](const Line* line) { return line->may_run(); })) {
        start_of_queue.event.bind<&Start::go>(&start_of_queue, ngx_cycle->log);
        start_of_queue.event.post();
    }
}

// The URL by which larderd can reach this nginx. Empty without larder_signing_key, or if the address is unknown.
std::string own_url(ngx_http_request_t* r, const OwnRequest& request) {
    const MainConf* main = main_conf(r);
    if (main->render_signer == nullptr) return {};
    if (!main->render_url.empty() || request.local.empty()) return main->render_url;
    sockaddr_storage address{};
    ngx_memcpy(&address, request.local.data(), std::min(request.local.size(), sizeof address));
    u_char text[NGX_SOCKADDR_STRLEN];
    std::size_t size = ngx_sock_ntop(reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(request.local.size()),
                                     text, sizeof text, 1);
    std::string_view shown(reinterpret_cast<char*>(text), size);
    if (shown.substr(0, 5) == "unix:") return std::string(shown);
    return (is_https(r) ? "https://" : "http://") + std::string(shown);
}

Refresh describe(ngx_http_request_t* r, Ctx* ctx) {
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    if (!variant) throw std::runtime_error(why);
    Refresh refresh;
    refresh.key = ctx->key;
    refresh.variant = view(ctx->variant);
    refresh.conf = ctx->conf;
    if (ctx->own_policy != nullptr) refresh.own_policy = *ctx->own_policy;
    refresh.request = resembling(r);
    // The rewrites run again, so they need the target as the client sent it.
    refresh.request.target = r == r->main ? std::string(view(r->unparsed_uri)) : variant->target();
    refresh.cookies = backend_cookies(r, ctx);
    refresh.asked_at = own_url(r, refresh.request);
    refresh.personal = ctx->personal;
    refresh.near_only = ctx->near_only;
    return refresh;
}

// A refresh in progress. In the request's pool, so that the end of the request ends it.
struct Running {
    Line& line;
    const Ctx* ctx;  // made before this in the pool, so destroyed after it

    Running(Line& l, const Ctx* c) : line(l), ctx(c) { line.running++; }
    ~Running() {
        line.running--;
        zone().postpone_refresh(ctx->key, now_ms() + (ctx->fill != nullptr ? ctx->fill->retry_ms : refresh_retry_ms));
        schedule();
    }
};

void run(Line& line, const Refresh& refresh) {
    ngx_http_request_t* r = open_request(refresh.request);
    if (r == nullptr) return;
    Ctx* ctx;
    try {
        ctx = new_ctx(r, refresh.conf, Role::refresh);
        ctx->key = refresh.key;
        make<Running>(r->pool, line, ctx);
        ctx->variant = copy(r->pool, refresh.variant);
        if (ctx->variant.data == nullptr) throw std::bad_alloc();
    } catch (...) {
        ngx_http_finalize_request(r, NGX_ERROR);
        throw;
    }
    count(near_cache::Counter::inline_refreshes);
    ctx->renewing = std::make_unique<Renewing>(Renewing{refresh.cookies, nullptr});
    ctx->personal = refresh.personal;
    ctx->near_only = refresh.near_only;
    if (refresh.own_policy) ctx->own_policy = std::make_unique<Policy>(*refresh.own_policy);
    start(r);
}

// Starts what may run. A refresh that can't start is retried when the page is next found stale.
void run_queues() {
    for (Line* line : all_lines) {
        while (line->may_run()) {
            Refresh next = std::move(line->queue.front());
            line->queue.pop_front();
            bool begun = guarded(ngx_cycle->log, "refresh", false, [&] {
                run(*line, next);
                return true;
            });
            if (!begun) zone().postpone_refresh(next.key, now_ms() + refresh_retry_ms);
        }
    }
}

void enqueue_here(Line& line, Refresh refresh) {
    if (line.queue.size() >= line.most_queued) {
        zone().postpone_refresh(refresh.key, now_ms() + refresh_retry_ms);
        return;
    }
    line.queue.push_back(std::move(refresh));
    schedule();
}

Job make_job(const Refresh& refresh) {
    Job job;
    job.reason = JobReason::stale;
    job.enqueued_ms = now_ms();
    const Where& where = refresh.conf->where.value();
    job.fence = fence_now(where.store);
    job.store = where.store->name;
    job.store_identity = zone().store_identity(where.store->domain);
    job.nginx = refresh.asked_at;
    job.policy = refresh.own_policy.value_or(refresh.conf->policy);
    job.variant = refresh.variant;
    return job;
}

// larderd took a job for this page lately and refused it. Only its own log says why, so point there.
void log_refused_job(const Refresh& refresh) {
    constexpr ngx_msec_t interval_ms = 60'000;
    static ngx_msec_t logged_at;
    static bool logged;
    if (std::exchange(logged, true) && ngx_current_msec - logged_at < interval_ms) return;
    logged_at = ngx_current_msec;
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "larder: larderd refused the job to renew %s of store \"%s\", so nginx renews the page by itself; "
                  "larderd's log says why", refresh.key.text().c_str(), refresh.conf->where.value().store->name.c_str());
}

void ask_daemon(Line& line, Refresh refresh) {
    Job job = make_job(refresh);
    Key key = refresh.key;
    enqueue_job(key, job, [&line, refresh = std::move(refresh)](Enqueued result) {
        switch (result) {
            case Enqueued::queued:
                count(near_cache::Counter::jobs_queued);
                break;
            case Enqueued::duplicate:
                count(near_cache::Counter::jobs_duplicate);
                break;
            case Enqueued::refused:
                log_refused_job(refresh);
                [[fallthrough]];
            case Enqueued::nobody:
                count(near_cache::Counter::jobs_failed);
                zone().postpone_refresh(refresh.key, now_ms() + worker_lease_ms);
                enqueue_here(line, refresh);
                break;
        }
    });
}

}  // namespace

bool is_at_its_place(ngx_http_request_t* r, Ctx* ctx) {
    const LocConf* here = loc_conf(r);
    if (ctx->conf == nullptr) ctx->conf = here;
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    if (!variant) throw std::runtime_error(why);
    std::string target, led;
    Target sent = split_target(sent_target(r, target));
    bool same = here == ctx->conf && here->enabled() && led_to(r, sent, variant->path, here->query.value(), led) == variant->led;
    if (!same) note_misled(r, ctx);
    return same;
}

void note_misled(ngx_http_request_t* r, const Ctx* ctx) {
    give_up(r, ctx, "it was led to \"" + std::string(view(r->uri)) + "\", not to where its visitors are: nothing is kept of it. ");
}

void note_answered_before(ngx_http_request_t* r, const Ctx* ctx) {
    give_up(r, ctx, "it was answered before it came to the page, with status " + std::to_string(r->headers_out.status) +
                        ": nothing is kept of it. ");
}

bool is_to_be_made_by_visitor(const Ctx* ctx) {
    return (ctx->authorized || misled.has(ctx->key)) && zone().claim_refresh(ctx->key, now_ms(), worker_lease_ms);
}

void request_refresh(ngx_http_request_t* r, Ctx* ctx, RefreshOf what) {
    Line& line = what == RefreshOf::stale_page ? of_stale_pages : of_abandoned_fragments;
    RefreshMode mode = ctx->conf->refresh.value();
    if (mode == RefreshMode::off || ctx->authorized) return;  // only visitors have the credentials
    // larderd can write to stores, not to near caches. And a personal page's cookies must not leave this worker.
    bool by_daemon = mode == RefreshMode::daemon && has_daemon() && !ctx->personal &&
                     ctx->conf->where.value().store != nullptr;
    if (!zone().claim_refresh(ctx->key, now_ms(), by_daemon ? daemon_lease_ms : worker_lease_ms)) return;
    try {
        if (by_daemon)
            ask_daemon(line, describe(r, ctx));
        else
            enqueue_here(line, describe(r, ctx));
    } catch (...) {
        zone().postpone_refresh(ctx->key, now_ms() + refresh_retry_ms);  // nobody is working on it
        throw;
    }
}

void stop_refreshes() {
    for (Line* line : all_lines) line->queue.clear();
}

}  // namespace larder::ngx
