// From nginx's request to the variant.
#include "ngx_module/request/variant.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "cache/request/coding.hpp"
#include "cache/request/language.hpp"
#include "cache/request/query.hpp"
#include "cache/request/url.hpp"
#include "cache/request/variant.hpp"
#include "cache/response/fields.hpp"
#include "ngx_module/request/group.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/target.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// One buffer per worker: a variant is built and hashed within one turn of the event loop.
char variant_buffer[max_variant_bytes];

// One per worker, as well.
KeptCookies kept_cookies;
std::vector<std::string_view> sent_cookies;

void write_cookies(VariantWriter& writer, const KeptCookies& cookies) {
    writer.start_pairs();
    for (const KeptCookie& cookie : cookies.cookies()) writer.cookie(cookie);
}

// The value that the variant holds for a kept header. nullopt: the header counts as absent, which differs from empty.
std::optional<std::string_view> kept_value(ngx_http_request_t* r, const Ctx* ctx, const HeaderRule& rule) {
    if (rule.is_group) {
        bool has_one = ctx->group != nullptr && !ctx->group->name.empty();
        return has_one ? std::optional<std::string_view>(ctx->group->name) : std::nullopt;
    }
    if (rule.is_authorization) return ctx->authorized ? std::optional<std::string_view>("") : std::nullopt;
    ngx_str_t computed;
    std::optional<std::string_view> sent;
    if (!rule.value)
        sent = find_header(r, rule.name);
    else if (ngx_http_complex_value(r, const_cast<ngx_http_complex_value_t*>(&*rule.value), &computed) ==
             NGX_OK)
        sent = view(computed);
    else
        throw std::bad_alloc();
    std::string_view value = trim_ows(sent.value_or(std::string_view()));
    if (!rule.languages.empty()) return choose_language(value, rule.languages);
    if (!rule.codings.empty()) {
        // Compressed fragments can't be assembled into a page: ask for them uncompressed.
        if (ctx->role == Role::fragment) return std::nullopt;
        std::string_view coding = choose_coding(value, rule.codings);
        return coding.empty() ? std::nullopt : std::optional(coding);
    }
    bool as_sent = sent && !rule.value && !rule.filter.allows && rule.filter.fallback.empty();
    std::string_view filtered = rule.filter(value);
    return filtered.empty() && !as_sent ? std::nullopt : std::optional(filtered);
}

void write_headers(VariantWriter& writer, ngx_http_request_t* r, const Ctx* ctx) {
    writer.start_pairs();
    for (const HeaderRule& rule : ctx->conf->kept_headers) {
        if (auto value = kept_value(r, ctx, rule)) writer.header(rule.name, *value);
    }
}

bool has_body(ngx_http_request_t* r) {
    return r == r->main && (r->headers_in.content_length_n > 0 || r->headers_in.chunked);
}

const std::vector<CookieRule>& cookie_rules(const Ctx* ctx) {
    return ctx->asked_group() != nullptr ? ctx->asked_group()->rule->cookies : ctx->conf->kept_cookies;
}

}  // namespace

const KeptCookies& collect_cookies(const ngx_http_headers_in_t& headers,
                                   const std::vector<CookieRule>& rules) {
    sent_cookies.clear();
    if (!rules.empty())
        each_cookie_field(headers, [](std::string_view field) { sent_cookies.push_back(field); });
    kept_cookies.collect(sent_cookies, rules, ngx_time());
    return kept_cookies;
}

bool build_variant(ngx_http_request_t* r, Ctx* ctx) {
    auto refuse = [ctx](Reason why) {
        ctx->detail = why;
        return false;
    };
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return refuse(Reason::method);
    if (has_body(r)) return refuse(Reason::request_body);
    if (r->headers_in.upgrade != nullptr) return refuse(Reason::upgrade);
    const LocConf& conf = *ctx->conf;
    ctx->authorized = r->headers_in.authorization != nullptr;
    if (ctx->authorized && !conf.authorized.value()) return refuse(Reason::authorization);
    const KeptCookies& cookies = collect_cookies(r->headers_in, cookie_rules(ctx));
    if (cookies.bypass()) return refuse(Reason::bypass_cookie);
    std::string host_storage, target_storage, path_storage, query_storage, led_storage;
    Target target = split_target(sent_target(r, target_storage));
    std::string_view path = normalise_path(target.path, path_storage);
    std::string_view scheme = visitor_scheme(r);
    VariantWriter writer(variant_buffer, sizeof variant_buffer);
    writer.start("GET", scheme, request_authority(r, scheme, host_storage), path,
                 normalise_query(conf.query.value(), target.query, query_storage),
                 led_to(r, target, path, conf.query.value(), led_storage), srv_conf(r)->site[is_https(r)]);
    write_cookies(writer, cookies);
    write_headers(writer, r, ctx);
    auto variant = writer.finish();
    if (!variant) return refuse(Reason::too_long);
    ctx->key = key_of(*variant);
    ctx->variant = copy(r->pool, *variant);
    if (ctx->variant.data == nullptr) throw std::bad_alloc();
    ctx->personal = cookies.personal();
    ctx->near_only = !cookies.shareable();
    ctx->session = cookies.session();
    return true;
}

bool sends_one_of(ngx_http_request_t* r, const Ctx* ctx, const std::vector<std::string>& names) {
    if (names.empty()) return false;
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    if (!variant) throw std::runtime_error(why);
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        if (name == "accept-encoding") return false;  // always kept as variants
        bool held = std::any_of(variant->headers.begin(), variant->headers.end(),
                                [&name](const NamedValue& header) { return header.name == name; });
        return !held && find_header(r, name);
    });
}

std::string client_codings(ngx_http_request_t* r) {
    return accepted_codings(find_header(r, "accept-encoding").value_or(std::string_view()));
}

unsigned most_variants(const Ctx* ctx) {
    constexpr unsigned most_by_coding = 8;  // browsers and tools send fewer
    unsigned most = ctx->conf->vary_most.value();
    return most != 0 ? most : most_by_coding;
}

Detail varies_detail(ngx_http_request_t* r, const std::vector<std::string>& names) {
    constexpr std::size_t most_bytes = 80;
    std::string text;
    for (const std::string& name : names) {
        bool is_plain = std::all_of(name.begin(), name.end(),
                                    [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
        if (!is_plain || text.size() + name.size() > most_bytes) break;
        text.append(text.empty() ? ":" : "/").append(name);
    }
    text.push_back('\0');
    ngx_str_t copied = copy(r->pool, text);
    if (copied.data == nullptr) throw std::bad_alloc();
    return {Reason::vary, reinterpret_cast<const char*>(copied.data)};
}

bool extend_variant(ngx_http_request_t* r, Ctx* ctx, const std::vector<std::string>& names) {
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    if (!variant) throw std::runtime_error(why);
    bool any = false;
    Varied varied = Varied::by_headers;
    std::string codings;
    for (const std::string& name : names) {
        const bool is_coding = name == "accept-encoding";
        auto place =
            std::lower_bound(variant->headers.begin(), variant->headers.end(), name,
                             [](const NamedValue& header, std::string_view n) { return header.name < n; });
        std::optional<std::string_view> value;
        if (!is_coding) value = find_header(r, name);
        // A fragment goes into a page uncompressed.
        if (is_coding && ctx->role == Role::client && !(codings = client_codings(r)).empty()) value = codings;
        bool held = place != variant->headers.end() && place->name == name;
        if (!value || (held && (!is_coding || place->value == *value))) continue;
        if (held)
            place->value = *value;
        else
            variant->headers.insert(place, {name, trim_ows(*value)});
        any = true;
        if (is_coding) varied = Varied::by_coding;
    }
    std::string encoded = any ? variant->encode() : std::string();
    if (!any || !Variant::parse(encoded, &why)) return false;
    if (ctx->varied == Varied::no) ctx->base = ctx->key;
    if (ctx->varied != Varied::by_coding) ctx->varied = varied;
    ctx->key = key_of(encoded);
    ctx->variant = copy(r->pool, encoded);
    if (ctx->variant.data == nullptr) throw std::bad_alloc();
    return true;
}

std::string backend_cookies(ngx_http_request_t* r, const Ctx* ctx) {
    return collect_cookies(r->headers_in, cookie_rules(ctx)).field(ngx_time());
}

}  // namespace larder::ngx
