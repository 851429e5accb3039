// Translates nginx's view of an answer into the cache library's.
#include "ngx_module/request/backend_answer.hpp"

#include <algorithm>

#include "cache/request/variant.hpp"
#include "cache/response/decoder.hpp"
#include "cache/response/fields.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/serve.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// The content codings that the backend was asked for: in a reduced request those of the variant, otherwise whatever
// it chose.
std::string_view asked_coding(ngx_http_request_t* r, const Ctx* ctx, const std::string& came) {
    const char* why;
    auto variant = ctx->status == Status::pass ? std::nullopt : Variant::parse(view(ctx->variant), &why);
    if (!variant) {
        bool for_page = ctx->role == Role::fragment;  // a page can include only plain text
        return for_page ? std::string_view() : view(copy(r->pool, came));
    }
    for (const NamedValue& header : variant->headers) {
        if (header.name == "accept-encoding") return header.value;
    }
    return {};
}

// Calls f(name, value) for each field that nginx hides from the client and that matters to a cache. Leaves out what
// the operator tells nginx to ignore (proxy_ignore_headers).
template <typename F>
void each_hidden_header(ngx_http_request_t* r, F&& f) {
    if (r->upstream == nullptr) return;
    ngx_uint_t ignored = r->upstream->conf->ignore_headers;
    each_element(r->upstream->headers_in.headers, [&](const ngx_table_elt_t& header) {
        std::string_view name = view(header.key);
        if (header.value.len == 0) return;  // nginx adds an empty Date if there is none
        bool is_hidden =
            equals_ignore_case(name, "Connection") ||
            (equals_ignore_case(name, "Date") && r->headers_out.date == nullptr) ||
            (equals_ignore_case(name, "X-Accel-Expires") && (ignored & NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES) == 0) ||
            (equals_ignore_case(name, "X-Accel-Buffering") && (ignored & NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING) == 0);
        if (is_hidden) f(name, view(header.value));
    });
}

}  // namespace

// nginx puts the present time into Date; a forwarded answer keeps its own (RFC 9110 section 6.6.1).
void send_own_date(ngx_http_request_t* r) {
    if (r->headers_out.date != nullptr) return;
    std::string_view date;
    each_hidden_header(r, [&date](std::string_view name, std::string_view value) {
        if (date.empty() && equals_ignore_case(name, "Date") && parse_http_date(value)) date = value;
    });
    if (date.empty()) return;
    r->headers_out.date = add_response_header(r, ngx_string("Date"), str(date));
    if (r->headers_out.date == nullptr) throw std::bad_alloc();
}

// Reads the answer from headers_out, where the content handler put it. Views refer to the request's pool.
Answer gather_answer(ngx_http_request_t* r, const Ctx* ctx) {
    Answer answer;
    answer.status = static_cast<std::uint16_t>(r->headers_out.status);
    answer.request_ms = ctx->fill->request_ms;
    answer.response_ms = now_ms();
    each_response_header(r, [&answer](const ngx_table_elt_t& header) {
        if (header.hash != 0) answer.headers.push_back({view(header.key), view(header.value)});
    });
    each_hidden_header(r, [&answer](std::string_view name, std::string_view value) {
        answer.headers.push_back({name, value});
    });
    if (r->headers_out.content_length_n >= 0)  // from an upstream, nginx keeps only the number
        answer.headers.push_back({"Content-Length", view(decimal(r->pool, r->headers_out.content_length_n))});
    if (r->headers_out.content_type.len != 0) {
        std::string_view type = view(r->headers_out.content_type);
        // nginx keeps the charset of an upstream's answer apart from its type.
        if (r->headers_out.charset.len != 0 &&
            r->headers_out.content_type_len == r->headers_out.content_type.len) {
            type = view(
                copy(r->pool, std::string(type) + "; charset=" + std::string(view(r->headers_out.charset))));
        }
        answer.headers.push_back({"Content-Type", type});
    }
    if (r->headers_out.last_modified == nullptr &&
        r->headers_out.last_modified_time != -1) {  // a static file
        auto* text = static_cast<u_char*>(ngx_pnalloc(r->pool, sizeof("Mon, 28 Sep 1970 06:00:00 GMT")));
        if (text == nullptr) throw std::bad_alloc();
        u_char* end = ngx_http_time(text, r->headers_out.last_modified_time);
        answer.headers.push_back(
            {"Last-Modified", {reinterpret_cast<char*>(text), static_cast<std::size_t>(end - text)}});
    }
    const std::vector<HeaderRule>& kept = ctx->conf->kept_headers;
    const char* why;
    answer.variant_holds = [&kept,
                            variant = Variant::parse(view(ctx->variant), &why)](std::string_view name) {
        auto is = [name](const auto& header) { return header.name == name; };
        return std::any_of(kept.begin(), kept.end(), is) ||
               (variant && std::any_of(variant->headers.begin(), variant->headers.end(), is));
    };
    answer.personal = ctx->personal;
    answer.authorized = ctx->authorized;
    std::string coding = content_coding(answer.headers);
    answer.decodable = !coding.empty() && Decoder::make(coding, 0) != nullptr;
    answer.accepts = asked_coding(r, ctx, coding);
    return answer;
}

bool is_not_http(ngx_http_request_t* r) {
    return r->upstream != nullptr && r->http_version == NGX_HTTP_VERSION_9 && r->http_protocol.len != 0;
}

std::int64_t asked_for_rest_ms(ngx_http_request_t* r) {
    std::string_view said, date;
    each_response_header(r, [&](const ngx_table_elt_t& header) {
        if (equals_ignore_case(view(header.key), "Retry-After")) said = view(header.value);
    });
    each_hidden_header(r, [&](std::string_view name, std::string_view value) {
        if (equals_ignore_case(name, "Date")) date = value;
    });
    return retry_after_s(said, date, now_ms() / 1000) * 1000;
}

bool passes_trailers(const ngx_http_request_t* r) {
    return r->upstream != nullptr && r->upstream->conf->pass_trailers;
}

void strip_cookies(ngx_http_request_t* r, const Policy& policy) {
    each_response_header(r, [&policy](ngx_table_elt_t& header) {
        if (equals_ignore_case(view(header.key), "Set-Cookie") &&
            is_stripped_cookie(policy, view(header.value)))
            header.hash = 0;
    });
}

}  // namespace larder::ngx
