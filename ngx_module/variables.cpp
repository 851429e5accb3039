// nginx variables and counters about a request, from its context.
#include "ngx_module/variables.hpp"

#include <algorithm>

#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/group.hpp"
#include "ngx_module/request/reduce.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

void set(ngx_http_variable_value_t* value, const ngx_str_t& text) {
    value->data = text.data;
    value->len = text.len & 0xfffffff;  // a field of 28 bits
    value->valid = 1;
    value->no_cacheable = 0;
    value->not_found = text.data == nullptr;
}

ngx_int_t get_status(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
    Ctx* ctx = ctx_of(r);
    value->not_found = 1;
    if (ctx != nullptr && ctx->status != Status::none) set(value, str(status_text(ctx->status)));
    return NGX_OK;
}

ngx_int_t get_key(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
    Ctx* ctx = ctx_of(r);
    value->not_found = 1;
    if (ctx != nullptr && ctx->has_variant()) set(value, copy(r->pool, ctx->key.text()));
    return NGX_OK;
}

ngx_int_t get_age(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
    Ctx* ctx = ctx_of(r);
    value->not_found = 1;
    if (ctx == nullptr || !ctx->is_served() || ctx->entry.empty()) return NGX_OK;
    std::int64_t age_ms = now_ms() - ctx->entry.view().head().life.base_ms;
    set(value, decimal(r->pool, std::max<std::int64_t>(0, age_ms / 1000)));
    return NGX_OK;
}

ngx_int_t get_group(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t) {
    Ctx* ctx = ctx_of(r);
    value->not_found = 1;
    if (ctx != nullptr && ctx->group != nullptr && !ctx->group->name.empty())
        set(value, str(ctx->group->name));
    return NGX_OK;
}

template <ngx_int_t (*getter)(ngx_http_request_t*, ngx_http_variable_value_t*, uintptr_t)>
ngx_int_t variable(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data) {
    return guarded(r->connection->log, "variable", static_cast<ngx_int_t>(NGX_ERROR),
                   [&] { return getter(r, value, data); });
}

near_cache::Counter counter_of(Status status) {
    switch (status) {
        case Status::hit:
            return near_cache::Counter::hit;
        case Status::stale:
            return near_cache::Counter::stale;
        case Status::revalidated:
            return near_cache::Counter::revalidated;
        case Status::coalesced:
            return near_cache::Counter::coalesced;
        case Status::bypass:
            return near_cache::Counter::bypass;
        case Status::pass:
            return near_cache::Counter::pass;
        case Status::error_stale:
            return near_cache::Counter::error_stale;
        case Status::error:
            return near_cache::Counter::error;
        default:
            return near_cache::Counter::miss;
    }
}

near_cache::LatencyClass class_of(Status status) {
    switch (status) {
        case Status::hit:
            return near_cache::LatencyClass::hit;
        case Status::stale:
        case Status::error_stale:
            return near_cache::LatencyClass::stale;
        default:
            return near_cache::LatencyClass::backend;
    }
}

void record_latency(ngx_http_request_t* r, Status status) {
    const ngx_time_t* now = ngx_timeofday();
    auto took_ms = std::max<ngx_msec_int_t>(
        0, static_cast<ngx_msec_int_t>((now->sec - r->start_sec) * 1000) +
               (static_cast<ngx_msec_int_t>(now->msec) - static_cast<ngx_msec_int_t>(r->start_msec)));
    auto took_us = static_cast<std::uint64_t>(took_ms) * 1000;
    unsigned bucket = 0;
    while (bucket + 1 < near_cache::latency_buckets && took_us >= (std::uint64_t{64} << bucket)) bucket++;
    near_cache::Stats& stats = zone().stats();
    auto which = static_cast<unsigned>(class_of(status));
    stats.latency[which][bucket].fetch_add(1, std::memory_order_relaxed);
    stats.latency_sum_us[which].fetch_add(took_us, std::memory_order_relaxed);
}

}  // namespace

ngx_int_t add_variables(ngx_conf_t* cf) {
    struct Definition {
        ngx_str_t name;
        ngx_http_get_variable_pt get;
    };
    Definition definitions[] = {{ngx_string("larder_status"), variable<get_status>},
                                {ngx_string("larder_key"), variable<get_key>},
                                {ngx_string("larder_age"), variable<get_age>},
                                {ngx_string("larder_group"), variable<get_group>}};
    for (Definition& definition : definitions) {
        // Not cacheable: a condition may evaluate it early, and the log needs its final value.
        ngx_http_variable_t* added = ngx_http_add_variable(cf, &definition.name, NGX_HTTP_VAR_NOCACHEABLE);
        if (added == nullptr) return NGX_ERROR;
        added->get_handler = definition.get;  // guarded
    }
    return NGX_OK;
}

static void count_request(ngx_http_request_t* r) {
    Ctx* ctx = ctx_of(r);
    if (ctx == nullptr || ctx->role == Role::refresh) return;
    if (ctx->fill != nullptr) restore_request(r, ctx);
    if (ctx->status == Status::none) return;
    if (ctx->status == Status::miss && r->headers_out.status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
        ctx->status = Status::error;
    count(counter_of(ctx->status));
    record_latency(r, ctx->status);
}

ngx_int_t log_handler(ngx_http_request_t* r) {
    return guarded(r->connection->log, "log", static_cast<ngx_int_t>(NGX_OK), [r]() -> ngx_int_t {
        count_request(r);
        return NGX_OK;
    });
}

}  // namespace larder::ngx
