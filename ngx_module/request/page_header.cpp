// The header depends on the plan, and on the fragments that are known when it is sent.
#include "ngx_module/request/page_header.hpp"

#include <algorithm>

#include "cache/response/fields.hpp"
#include "edge_includes/plan/plan.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/nginx_versions.hpp"
#include "ngx_module/request/form_token.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// What may differ between visitors who request the same URL.
constexpr esi::Reads personal_reads = esi::reads_cookies | esi::reads_headers | esi::reads_address |
                                      esi::reads_host_names | esi::reads_form_token;

// Collects Cache-Control and Expires. Expires counts only if there is no max-age.
struct Control {
    CacheDirectives said;
    std::optional<std::int64_t> expires_s;

    void add(std::string_view name, std::string_view value) {
        if (equals_ignore_case(name, "Cache-Control")) add_cache_control(value, said);
        if (equals_ignore_case(name, "Expires")) expires_s = parse_http_date(value).value_or(0);
    }
    CacheDirectives result(std::int64_t age_s) const {
        CacheDirectives all = said;
        if (!all.max_age && expires_s)
            all.max_age = age_s + std::max<std::int64_t>(0, *expires_s - ngx_time());
        return all;
    }
};

void remove_lifetime(ngx_http_request_t* r) {
    each_response_header(r, [](ngx_table_elt_t& header) {
        if (is_lifetime_field(view(header.key))) header.hash = 0;
    });
    r->headers_out.expires = nullptr;
    forget(r->headers_out.cache_control);
}

void replace_lifetime(ngx_http_request_t* r, const std::string& control) {
    remove_lifetime(r);
    ngx_table_elt_t* header = add_response_header(r, ngx_string("Cache-Control"), copy(r->pool, control));
    if (header == nullptr || !note_cache_control(r, header)) throw std::bad_alloc();
}

}  // namespace

bool reads_visitor(std::string_view plan) {
    return !plan.empty() && (esi::PlanView::trusted(plan).reads() & personal_reads) != 0;
}

bool give_cookie(ngx_http_request_t* r, Ctx* ctx, std::string_view plan) {
    if (!ctx->csrf_secret.empty()) return true;
    bool wanted = !plan.empty() && (esi::PlanView::trusted(plan).reads() & esi::reads_form_token) != 0;
    return wanted && !r->header_sent && give_form_cookie(r, ctx);
}

PartsControl unknown_parts(std::string_view plan) {
    PartsControl parts;
    if (!plan.empty() && esi::PlanView::trusted(plan).include_count() != 0) parts.add_unknown();
    return parts;
}

CacheDirectives control_of(ngx_http_request_t* r, std::int64_t age_s) {
    Control control;
    each_response_header(r, [&control](const ngx_table_elt_t& header) {
        if (header.hash != 0) control.add(view(header.key), view(header.value));
    });
    return control.result(age_s);
}

CacheDirectives control_of(const EntryView& entry, std::int64_t age_s) {
    Control control;
    entry.each_header(
        [&control](std::string_view name, std::string_view value) { control.add(name, value); });
    return control.result(age_s);
}

std::int64_t page_age_s(const Ctx* ctx) {
    if (!ctx->is_served()) return 0;
    return std::max<std::int64_t>(0, (now_ms() - ctx->entry.view().head().life.base_ms) / 1000);
}

void set_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan, PartsControl parts) {
    if (!plan.empty()) remove_digests(r);
    bool personal = reads_visitor(plan);
    bool gives_cookie = give_cookie(r, ctx, plan);
    std::int64_t age_s = page_age_s(ctx);
    if (ctx->answers_purged()) parts.add_purged(ctx->conf->stale.value().purged_s);
    // no-cache lets a browser show the page again on "back", but revalidate it otherwise: a login, say, changes the
    // visitor's token.
    std::string control = gives_cookie ? "private, no-store"
                          : personal   ? "private, no-cache"
                                       : parts.value(control_of(r, age_s), age_s);
    if (!control.empty()) replace_lifetime(r, control);
}

void limit_purged_header(ngx_http_request_t* r, const Ctx* ctx) {
    if (!ctx->answers_purged()) return;
    PartsControl parts;
    parts.add_purged(ctx->conf->stale.value().purged_s);
    std::int64_t age_s = page_age_s(ctx);
    replace_lifetime(r, parts.value(control_of(r, age_s), age_s));
}

}  // namespace larder::ngx
