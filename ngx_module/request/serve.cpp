// Builds responses from entries.
#include "ngx_module/request/serve.hpp"

#include <algorithm>

#include "cache/response/fields.hpp"
#include "cache/response/revalidate.hpp"
#include "ngx_module/buffers.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/nginx_versions.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/fragment.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/page_header.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

PageStarter* start_page;

ngx_table_elt_t* add_response_header(ngx_http_request_t* r, ngx_str_t name, ngx_str_t value) {
    auto* header = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (header == nullptr || value.data == nullptr) return nullptr;
    *header = ngx_table_elt_t{};
    header->hash = 1;
    header->key = name;
    header->value = value;
    return header;
}

bool note_cache_control(ngx_http_request_t* r, ngx_table_elt_t* header) {
    return add_to(r->headers_out.cache_control, r->pool, header);
}

namespace {

// Adds a field of the entry to headers_out. The fields that nginx's filters use have typed members, which are set as
// well.
bool add_entry_header(ngx_http_request_t* r, std::string_view name, std::string_view value) {
    if (equals_ignore_case(name, "Content-Type")) {
        r->headers_out.content_type = str(value);
        r->headers_out.content_type_len = std::min(value.find(';'), value.size());
        r->headers_out.content_type_lowcase = nullptr;
        return true;
    }
    ngx_table_elt_t* header = add_response_header(r, str(name), str(value));
    if (header == nullptr) return false;
    switch (name.size()) {
        case 4:
            if (equals_ignore_case(name, "ETag")) r->headers_out.etag = header;
            if (equals_ignore_case(name, "Date")) r->headers_out.date = header;
            break;
        case 7:
            if (equals_ignore_case(name, "Expires")) r->headers_out.expires = header;
            break;
        case 8:
            // nginx makes a path in Location absolute, with its own scheme and port; it does not for an upstream's
            // answer. So don't tell it of a path.
            if (equals_ignore_case(name, "Location") && value.substr(0, 1) != "/")
                r->headers_out.location = header;
            break;
        case 16:
            // So nginx's filters know that the body is compressed already.
            if (equals_ignore_case(name, "Content-Encoding")) r->headers_out.content_encoding = header;
            break;
        case 13:
            if (equals_ignore_case(name, "Cache-Control")) return note_cache_control(r, header);
            if (equals_ignore_case(name, "Last-Modified")) {
                r->headers_out.last_modified = header;
                r->headers_out.last_modified_time = parse_http_date(value).value_or(-1);
            }
            break;
        default:
            break;
    }
    return true;
}

// Adjusts the request's conditions to what RFC 9111 section 4.3.2 and RFC 9110 section 13 require and nginx's filters
// don't do. If-Match and If-Unmodified-Since are for the origin; If-None-Match overrides If-Modified-Since; a weak
// tag is no validator for a range; a date that is not a strong validator is none at all.
void mend_conditions(ngx_http_headers_in_t& headers, const EntryView& entry) {
    headers.if_match = headers.if_unmodified_since = nullptr;
    if (headers.if_none_match != nullptr) headers.if_modified_since = nullptr;
    if (headers.if_modified_since != nullptr && !has_strong_date(entry)) headers.if_modified_since = nullptr;
    if (headers.if_range != nullptr) {
        std::string_view validator = view(headers.if_range->value);
        bool strong_tag = validator.substr(0, 1) == "\"";
        bool weak_tag = validator.substr(0, 2) == "W/";
        if (weak_tag || (!strong_tag && !has_strong_date(entry))) headers.range = nullptr;
    }
}

// An answer that came without Date gets the time when it was made (RFC 9110 section 6.6.1).
bool add_date(ngx_http_request_t* r, const EntryView& entry) {
    if (r->headers_out.date != nullptr) return true;
    auto* text = static_cast<u_char*>(ngx_pnalloc(r->pool, sizeof("Mon, 28 Sep 1970 06:00:00 GMT")));
    if (text == nullptr) return false;
    u_char* end = ngx_http_time(text, static_cast<time_t>(entry.head().life.base_ms / 1000));
    r->headers_out.date =
        add_response_header(r, ngx_string("Date"), {static_cast<std::size_t>(end - text), text});
    return r->headers_out.date != nullptr;
}

std::int64_t ttl_s(const Ctx* ctx) {
    const Lifetime life = ctx->entry.view().head().life;
    std::int64_t own = (life.base_ms + life.fresh_ms - now_ms()) / 1000;
    return ctx->entry.purged ? std::min<std::int64_t>(own, 0) : own;
}

}  // namespace

ngx_int_t send_entry(ngx_http_request_t* r, Ctx* ctx) {
    if (!set_headers_from_entry(r, ctx)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
    std::string_view plan = ctx->entry.view().plan();
    if (!plan.empty()) {  // its header depends on the fragments, so it is sent later
        if (r->method != NGX_HTTP_HEAD) return send_entry_body(r, ctx);
        set_page_header(r, ctx, plan, unknown_parts(plan));
    }
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
    return send_entry_body(r, ctx);
}

bool set_headers_from_entry(ngx_http_request_t* r, Ctx* ctx) {
    EntryView entry = ctx->entry.view();
    const EntryHead& head = entry.head();
    mend_conditions(r->headers_in, entry);
    r->headers_out.status = head.status;
    bool ok = true;
    bool of_range = r->headers_in.range != nullptr;
    entry.each_header([&](std::string_view name, std::string_view value) {
        if (of_range && is_content_digest_field(name)) return;
        ok = ok && add_entry_header(r, name, value);
    });
    ok = ok && add_date(r, entry);
    std::int64_t age_s = std::max<std::int64_t>(0, (now_ms() - head.life.base_ms) / 1000);
    ok = ok && add_response_header(r, ngx_string("Age"), decimal(r->pool, age_s)) != nullptr;
    if (ok && entry.plan().empty()) {
        limit_purged_header(r, ctx);
        r->headers_out.content_length_n = static_cast<off_t>(head.body_size);
        r->allow_ranges = head.status == NGX_HTTP_OK;
    } else {
        // Length and validators are those of the template, not of the assembled page.
        ngx_http_clear_content_length(r);
        ngx_http_clear_last_modified(r);
        ngx_http_clear_accept_ranges(r);
        ngx_http_clear_etag(r);
    }
    return ok && add_vary(r, ctx) && add_cache_status(r, ctx);
}

ngx_int_t send_entry_body(ngx_http_request_t* r, Ctx* ctx) {
    // nginx's range filter takes several ranges only from a body in one buffer.
    bool several_ranges = r->headers_in.range != nullptr && view(r->headers_in.range->value).find(',') != std::string_view::npos;
    if (several_ranges) ctx->entry.join();
    EntryView entry = ctx->entry.view();
    if (!entry.plan().empty()) return start_page(r, ctx, entry.body(), entry.plan());
    ngx_chain_t first{memory_buffer(r->pool, entry.body()), nullptr};
    ngx_chain_t* last = &first;
    for (near_cache::Ref rest = ctx->entry.rest(); rest != 0 && last->buf != nullptr; last = last->next) {
        last->next = ngx_alloc_chain_link(r->pool);
        if (last->next == nullptr) return NGX_ERROR;
        *last->next = {memory_buffer(r->pool, zone().next_piece(rest)), nullptr};
    }
    if (last->buf == nullptr) return NGX_ERROR;
    last->buf->last_buf = r == r->main;
    last->buf->last_in_chain = 1;
    return ngx_http_output_filter(r, &first);
}

void clear_response_headers(ngx_http_request_t* r) {
    r->headers_out = ngx_http_headers_out_t{};
    if (ngx_list_init(&r->headers_out.headers, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK ||
        ngx_list_init(&r->headers_out.trailers, r->pool, 4, sizeof(ngx_table_elt_t)) != NGX_OK)
        throw std::bad_alloc();
    r->headers_out.content_length_n = -1;
    r->headers_out.last_modified_time = -1;
    r->allow_ranges = 0;
}

void remove_digests(ngx_http_request_t* r) {
    each_response_header(r, [](ngx_table_elt_t& header) {
        if (is_digest_field(view(header.key))) header.hash = 0;
    });
}

bool add_vary(ngx_http_request_t* r, const Ctx* ctx) {
    return (ctx->conf->codings.value().empty() && ctx->varied != Varied::by_coding) ||
           add_response_header(r, ngx_string("Vary"), ngx_string("Accept-Encoding")) != nullptr;
}

static const char* forward_reason(const Ctx* ctx) {
    if (ctx->entry.empty()) return ctx->varied != Varied::no ? "vary-miss" : "uri-miss";
    return ctx->wants_newer ? "request" : "stale";
}

// Whether the answer will be stored, as far as that is known when its header is sent: the body is complete, or its
// length allows it. An answer of unknown length is not called stored.
static bool is_stored(const Ctx* ctx) {
    const Fill& fill = *ctx->fill;
    constexpr std::size_t most_header_bytes = 64u << 10;
    if (fill.is_complete()) return fill.stored;
    bool in_store = ctx->conf->where.value().store != nullptr && !ctx->near_only;
    return fill.expected >= 0 &&
           (in_store || zone().fits(static_cast<std::size_t>(fill.expected) + most_header_bytes));
}

// "; detail=WORD", if there is one.
static u_char* write_detail(u_char* at, u_char* end, const Detail& detail) {
    if (detail.reason == Reason::none) return at;
    return ngx_slprintf(at, end, "; detail=%s%s", text_of(detail.reason), detail.names);
}

// See RFC 9211.
bool add_cache_status(ngx_http_request_t* r, Ctx* ctx) {
    if (r != r->main) return true;
    char text[160];
    u_char* at = reinterpret_cast<u_char*>(text);
    u_char* end = at + sizeof text;
    const Fill* fill = ctx->fill.get();
    switch (ctx->status) {
        case Status::hit:
        case Status::stale:
        case Status::coalesced:
        case Status::error_stale:
            at = ngx_snprintf(at, static_cast<std::size_t>(end - at), "larder; hit; ttl=%L",
                              static_cast<int64_t>(ttl_s(ctx)));
            if (ctx->status == Status::coalesced) at = ngx_slprintf(at, end, "; collapsed");
            if (ctx->status == Status::stale) at = write_detail(at, end, Reason::stale);
            if (ctx->status == Status::error_stale) at = write_detail(at, end, Reason::stale_on_error);
            break;
        case Status::bypass:
        case Status::pass:
            if (ctx->detail.reason == Reason::method) {
                at = ngx_slprintf(at, end, "larder; fwd=method");
                break;
            }
            at = ngx_slprintf(at, end, "larder; fwd=bypass");
            at = write_detail(at, end, ctx->detail.reason != Reason::none ? ctx->detail : Reason::known_unstorable);
            break;
        case Status::revalidated:
            at = ngx_slprintf(at, end, "larder; fwd=%s; fwd-status=304%s", forward_reason(ctx),
                              ctx->is_stored() ? "; stored" : "");
            break;
        case Status::error:
            at = ngx_slprintf(at, end, "larder");
            at = write_detail(at, end, ctx->detail);
            break;
        default:
            at = ngx_slprintf(at, end, "larder; fwd=%s", forward_reason(ctx));
            if (fill != nullptr && fill->status != 0)
                at = ngx_slprintf(at, end, "; fwd-status=%ui", static_cast<ngx_uint_t>(fill->status));
            if (fill != nullptr && fill->is_for_store()) {
                if (is_stored(ctx)) at = ngx_slprintf(at, end, "; stored");
                if (fill->decision.opaque) at = write_detail(at, end, Reason::esi_coded);
            } else {
                at = write_detail(at, end, ctx->detail);
            }
            break;
    }
    std::string_view value(text, static_cast<std::size_t>(at - reinterpret_cast<u_char*>(text)));
    return add_response_header(r, ngx_string("Cache-Status"), copy(r->pool, value)) != nullptr;
}

ngx_int_t serve_entry(ngx_http_request_t* r, Ctx* ctx, Status status) {
    ctx->status = status;
    ctx->phase = Phase::serving;
    if (ctx->role == Role::fragment) {
        ngx_http_finalize_request(r, NGX_OK);
        return NGX_DONE;
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc == NGX_OK) rc = send_entry(r, ctx);
    // A page that waits for its fragments finalizes the request itself.
    if (rc != NGX_DONE) ngx_http_finalize_request(r, rc);
    return NGX_DONE;
}

}  // namespace larder::ngx
