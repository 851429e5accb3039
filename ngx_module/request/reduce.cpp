// Builds nginx's request from a variant, and a fragment's request from the client's.
#include "ngx_module/request/reduce.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "cache/request/url.hpp"
#include "cache/request/variant.hpp"
#include "cache/response/fields.hpp"
#include "cache/response/revalidate.hpp"
#include "ngx_module/nginx_versions.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/fill.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/request/render_call.hpp"
#include "ngx_module/request/variant.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// CGI turns Larder-Group into HTTP_LARDER_GROUP, and some gateways map Larder_Group and Larder.Group to the same, so
// any character that is not alphanumeric may follow.
bool is_larder_field(std::string_view lower_name) {
    return lower_name.size() > 6 && lower_name.substr(0, 6) == "larder" &&
           std::isalnum(static_cast<unsigned char>(lower_name[6])) == 0;
}

// Sets the port for nginx's variables to that of the reduced Host field; 0: none.
void name_port(ngx_http_request_t* r, const Variant& variant) {
    ngx_str_t port = str(port_of(variant.host));
    ngx_int_t number = ngx_atoi(port.data, port.len);
    set_named_port(r, static_cast<in_port_t>(number > 0 && number < 65536 ? number : 0));
}

// Removes the headers for whose lower-case names `named` returns true. Throws std::bad_alloc; r->headers_in is then
// undefined.
template <typename F>
void remove_headers(ngx_http_request_t* r, F&& named) {
    auto is_one = [&named](const ngx_table_elt_t& header) {
        return header.lowcase_key != nullptr &&
               named({reinterpret_cast<const char*>(header.lowcase_key), header.key.len});
    };
    const ngx_http_headers_in_t given = r->headers_in;
    bool any = false;
    each_request_header(given, [&](const ngx_table_elt_t& header) {
        any = is_one(header);
        return !any;
    });
    if (!any) return;
    // An nginx list can't remove elements, so build another. Typed pointers to elements of the old one stay valid.
    ngx_list_t* kept = &r->headers_in.headers;
    bool ok = ngx_list_init(kept, r->pool, 16, sizeof(ngx_table_elt_t)) == NGX_OK;
    each_request_header(given, [&](const ngx_table_elt_t& header) {
        if (is_one(header)) return ok;
        auto* copied = ok ? static_cast<ngx_table_elt_t*>(ngx_list_push(kept)) : nullptr;
        ok = copied != nullptr;
        if (ok) *copied = header;
        return ok;
    });
    if (!ok) throw std::bad_alloc();
}

// Variables that nginx computes from the request's headers, target or body, and caches.
bool is_of_request(std::string_view name) {
    return name.substr(0, 5) == "http_" || name.substr(0, 7) == "cookie_" || name == "request_uri" ||
           name == "request_port" || name == "is_request_port" || name == "content_type" ||
           name == "content_length" || name == "proxy_add_x_forwarded_for" || name == "request_body" ||
           name == "request_body_file";
}

// nginx lets a subrequest share its variables with the page and the page's other subrequests: give it a copy.
void own_variables(ngx_http_request_t* r) {
    r->variables = copy_variables(r, r->variables);
}

// Scratch list of variables to recompute. One per worker; its memory is reserved before a request is changed, so that
// nothing can fail midway.
std::vector<ngx_uint_t> computed;

void make_room_to_recompute(ngx_http_request_t* r) {
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
    computed.reserve(core->variables.nelts);
}

// Flushes the cached variables that were computed from the request as it was before. Otherwise the backend would see
// values that the variant does not hold, because an `if` had evaluated them; or the access log would lack what the
// client sent. `known`: values to restore; null: each variable is computed when it is next used.
void recompute_variables(ngx_http_request_t* r, const ngx_http_variable_value_t* known = nullptr) {
    auto reset = [&](ngx_uint_t i) {
        if (known != nullptr)
            r->variables[i] = known[i];
        else
            r->variables[i].valid = r->variables[i].not_found = 0;
    };
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
    auto* definitions = static_cast<ngx_http_variable_t*>(core->variables.elts);
    for (ngx_uint_t i = 0; i < core->variables.nelts; i++) {
        if (is_of_request(view(definitions[i].name))) reset(i);
    }
    // Then the variables that the configuration computes from others, such as a map's. Those that it only assigns
    // (set, captures, auth_request_set) can't be computed again: their data is their own index, or their handler
    // finds nothing.
    computed.clear();
    for (ngx_uint_t i = 0; i < core->variables.nelts; i++) {
        const ngx_http_variable_t& definition = definitions[i];
        if ((definition.flags & NGX_HTTP_VAR_CHANGEABLE) == 0 || definition.get_handler == nullptr ||
            definition.set_handler != nullptr || definition.data == i)
            continue;
        ngx_http_variable_value_t value{};
        if (!r->variables[i].valid ||
            (definition.get_handler(r, &value, definition.data) == NGX_OK && value.valid))
            computed.push_back(i);
    }
    for (ngx_uint_t i : computed) reset(i);
}

// nginx caches whether the request accepts gzip. The reduced and the client's request differ in that.
void forget_gzip(ngx_http_request_t* r) {
#if (NGX_HTTP_GZIP)
    r->gzip_tested = 0;
#else
    (void)r;
#endif
}

// What the client sent about itself that the backend might look at, and that neither the variant nor `cookies` holds.
Withheld withheld_from(ngx_http_request_t* r, const Variant& variant, const std::string& cookies) {
    static constexpr std::string_view plain[] = {
        "host",   "connection",    "accept-encoding", "cache-control",
        "pragma", "keep-alive",    "if-none-match",   "if-modified-since",
        "te",     "content-length"};
    Withheld withheld = Withheld::nothing;
    each_request_header(r->headers_in, [&](const ngx_table_elt_t& header) {
        std::string name = lower_case(view(header.key));
        bool held = std::any_of(variant.headers.begin(), variant.headers.end(),
                                [&](const NamedValue& kept) { return kept.name == name; });
        // "*/*" says the same as no Accept field at all (RFC 9110 section 12.5.1).
        bool says_nothing = std::find(std::begin(plain), std::end(plain), name) != std::end(plain) ||
                            (name == "accept" && view(header.value) == "*/*") ||
                            (name == "x-forwarded-proto" && view(header.value) == variant.scheme);
        if (held || says_nothing || (name == "cookie" && cookies == view(header.value))) return true;
        withheld = name == "user-agent" ? Withheld::user_agent : Withheld::more;
        return withheld != Withheld::more;
    });
    return withheld;
}

// $request_method is the client's method in subrequests as well, unless it is set.
void set_method(ngx_http_request_t* r) {
    ngx_http_variable_value_t& method = r->variables[main_conf(r)->request_method_index];
    method = {};
    method.len = ngx_http_core_get_method.len & 0xfffffff;
    method.data = ngx_http_core_get_method.data;
    method.valid = 1;
}

// A body of no bytes, so that no module takes the client's body for this request's, or tries to read one.
ngx_http_request_body_t* empty_body(ngx_http_request_t* r) {
    auto* body = static_cast<ngx_http_request_body_t*>(ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t)));
    if (body == nullptr) throw std::bad_alloc();
    return body;
}

// Fields about the request they came with: about its body, or the answer to it, or what change the meaning of its
// method. `lower_name` has "-" for "_", as CGI does not distinguish the two.
bool describes_request(std::string_view lower_name) {
    static constexpr std::string_view names[] = {
        "accept-encoding",        "digest",           "expect", "range", "repr-digest", "x-http-method",
        "x-http-method-override", "x-method-override"};
    return lower_name.substr(0, 8) == "content-" || lower_name.substr(0, 3) == "if-" ||
           std::find(std::begin(names), std::end(names), lower_name) != std::end(names);
}

std::string as_cgi_reads(std::string_view lower_name) {
    std::string name(lower_name);
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
}

// Fields of one connection (RFC 9110 section 7.6.1), besides those that its Connection field names.
bool is_hop_by_hop(std::string_view lower_name) {
    static constexpr std::string_view names[] = {
        "connection", "http2-settings",    "keep-alive", "proxy-authorization", "proxy-connection", "te",
        "trailer",    "transfer-encoding", "upgrade"};
    return std::find(std::begin(names), std::end(names), lower_name) != std::end(names);
}

// Returns a predicate on lower-case names: whether the field belongs to r's connection alone.
auto of_connection(ngx_http_request_t* r) {
    std::vector<std::string_view> named;
    each_request_header(r->headers_in, [&named](const ngx_table_elt_t& header) {
        if (equals(header.key, "connection"))
            each_list_element(view(header.value), [&named](std::string_view name) { named.push_back(name); });
        return true;
    });
    return [named = std::move(named)](std::string_view lower_name) {
        return is_hop_by_hop(as_cgi_reads(lower_name)) ||
               std::any_of(named.begin(), named.end(),
                           [lower_name](std::string_view n) { return equals_ignore_case(n, lower_name); });
    };
}

}  // namespace

void reduce_request(ngx_http_request_t* r, Ctx* ctx) {
    const char* why;
    auto variant = Variant::parse(view(ctx->variant), &why);
    if (!variant) {  // e.g. a control character in a kept header: nginx allows it, a variant does not
        throw std::runtime_error(why);
    }
    Fill& fill = *ctx->fill;
    ClientsRequest clients;
    clients.headers = r->headers_in;
    clients.args = r->args;
    clients.unparsed_uri = r->unparsed_uri;
    clients.valid_unparsed_uri = r->valid_unparsed_uri;
    clients.port = named_port(r);
    std::string cookies = ctx->role == Role::refresh ? ctx->renewing->cookies : backend_cookies(r, ctx);
    if (ctx->role != Role::refresh) fill.withheld = withheld_from(r, *variant, cookies);

    ngx_http_headers_in_t reduced{};
    if (ngx_list_init(&reduced.headers, r->pool, 8, sizeof(ngx_table_elt_t)) != NGX_OK)
        throw std::bad_alloc();
    reduced.host = push_header(r, &reduced.headers, "Host", variant->host);
    if (!cookies.empty()) {
        ngx_table_elt_t* cookie = push_header(r, &reduced.headers, "Cookie", cookies);
        if (!add_to(cookie_fields(reduced), r->pool, cookie)) throw std::bad_alloc();
    }
    bool has_scheme = false;
    for (const NamedValue& header : variant->headers) {
        const bool is_authorization = header.name == authorization_field;
        std::string_view value = is_authorization ? view(r->headers_in.authorization->value) : header.value;
        ngx_table_elt_t* pushed = push_header(r, &reduced.headers, header.name, value);
        if (is_authorization) reduced.authorization = pushed;
        has_scheme = has_scheme || header.name == "x-forwarded-proto";
#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)
        if (header.name == "accept-encoding") reduced.accept_encoding = pushed;  // gzip_static reads it
#endif
    }
    if (!has_scheme) push_header(r, &reduced.headers, "X-Forwarded-Proto", variant->scheme);
    const Renewal* renewal = ctx->renewal();
    if (renewal != nullptr && !renewal->route.empty())
        push_header(r, &reduced.headers, "Larder-Route", renewal->route);
    bool may_ask = renewal == nullptr || !renewal->unconditional;
    if (may_ask && ctx->policy().keep_s != 0 && !ctx->entry.empty()) {
        Condition condition = condition_of(ctx->entry.view(), ctx->entry.purged);
        fill.conditional = !condition.empty();
        if (!condition.if_none_match.empty())
            push_header(r, &reduced.headers, "If-None-Match", condition.if_none_match);
        if (!condition.if_modified_since.empty())
            push_header(r, &reduced.headers, "If-Modified-Since", condition.if_modified_since);
    }
    if (ctx->policy().esi != EsiMode::off) {
        push_header(r, &reduced.headers, "Surrogate-Capability", "larder=\"ESI/1.0\"");
    }
    reduced.server = r->headers_in.server;
    reduced.content_length_n = -1;
    reduced.keep_alive_n = -1;
    reduced.connection_type = r->headers_in.connection_type;
    // Send the variant's target (the client's, normalised), and the query that the configuration set, if it set one.
    auto led_query = variant->led.find('?');
    ngx_str_t args = copy(
        r->pool, led_query != std::string_view::npos ? variant->led.substr(led_query + 1) : variant->query);
    ngx_str_t target = copy(r->pool, variant->target());
    if (args.data == nullptr || target.data == nullptr) throw std::bad_alloc();
    ngx_http_request_body_t* body = r->request_body;
    if (r != r->main) {
        // nginx gives a subrequest the body of the client's request, whose length the reduced header does not state.
        body = empty_body(r);
        own_variables(r);
    }
    make_room_to_recompute(r);
    clients.variables = copy_variables(r, r->variables);
    // Nothing below can fail, so a request is reduced completely or not at all.
    clients.body = std::exchange(r->request_body, body);
    fill.clients = clients;
    r->headers_in = reduced;
    name_port(r, *variant);
    // A list's `last` may point into the list itself, which was copied: adjust it.
    ngx_list_t& moved = r->headers_in.headers;
    if (moved.last == &reduced.headers.part) moved.last = &moved.part;
    r->args = args;
    r->unparsed_uri = target;
    forget_gzip(r);
    recompute_variables(r);
    if (r != r->main) set_method(r);
}

void restore_request(ngx_http_request_t* r, Ctx* ctx) {
    if (!ctx->fill->is_reduced()) return;
    const ClientsRequest clients = *std::exchange(ctx->fill->clients, std::nullopt);
    r->headers_in = clients.headers;
    set_named_port(r, clients.port);
    r->request_body = clients.body;
    r->args = clients.args;
    r->unparsed_uri = clients.unparsed_uri;
    // After an internal redirect the target is not the client's any more.
    r->valid_unparsed_uri = clients.valid_unparsed_uri && !r->internal;
    forget_gzip(r);
    // Restores the cached variables of the client's request too. Like an internal redirect without Larder, this does
    // not evaluate a map again just because the URI has changed.
    recompute_variables(r, clients.variables);
}

void strip_larder_request_headers(ngx_http_request_t* r) {
    remove_headers(r, is_larder_field);
}

void strip_conditions(ngx_http_request_t* r) {
    remove_headers(r, [](std::string_view lower_name) {
        return lower_name == "range" || lower_name.substr(0, 3) == "if-";
    });
    ngx_http_headers_in_t& headers = r->headers_in;
    headers.range = headers.if_range = headers.if_match = headers.if_none_match = nullptr;
    headers.if_modified_since = headers.if_unmodified_since = nullptr;
}

ngx_http_variable_value_t* copy_variables(ngx_http_request_t* r, const ngx_http_variable_value_t* variables) {
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
    std::size_t bytes = core->variables.nelts * sizeof(ngx_http_variable_value_t);
    auto* copied = static_cast<ngx_http_variable_value_t*>(ngx_palloc(r->pool, bytes));
    if (copied == nullptr) throw std::bad_alloc();
    ngx_memcpy(copied, variables, bytes);
    return copied;
}

std::vector<std::pair<std::string, std::string>> fields_of_visitor(ngx_http_request_t* r) {
    std::vector<std::pair<std::string, std::string>> fields;
    auto is_connections = of_connection(r);
    each_request_header(r->headers_in, [&](const ngx_table_elt_t& header) {
        std::string name = lower_case(view(header.key));
        bool is_coding = name == "accept-encoding";  // kept for the configuration to evaluate, though subrequests lack it
        if (!is_connections(name) && (is_coding || !describes_request(as_cgi_reads(name))))
            fields.emplace_back(std::move(name), view(header.value));
        return true;
    });
    return fields;
}

Detached* detach_from_client(ngx_http_request_t* r) {
    auto* detached = make<Detached>(r->pool);
    ngx_http_request_t own = *r;  // r itself is not changed
#if (NGX_PCRE)
    own.realloc_captures = 1;
#endif
    remove_headers(&own, [is_connections = of_connection(r)](std::string_view lower_name) {
        return is_connections(lower_name) || describes_request(as_cgi_reads(lower_name));
    });
    ngx_http_headers_in_t& headers = own.headers_in;
    headers.connection = headers.keep_alive = headers.te = headers.transfer_encoding = headers.upgrade =
        nullptr;
    headers.expect = headers.content_length = headers.content_range = headers.content_type = nullptr;
    headers.range = headers.if_range = headers.if_match = headers.if_none_match = nullptr;
    headers.if_modified_since = headers.if_unmodified_since = nullptr;
#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)
    headers.accept_encoding = nullptr;
#endif
    headers.content_length_n = -1;
    headers.chunked = 0;
    own.request_body = empty_body(r);
    own_variables(&own);
    make_room_to_recompute(&own);
    recompute_variables(&own);
    set_method(&own);
    *detached = {headers, own.request_body, own.variables};
    if (headers.headers.last == &headers.headers.part)
        detached->headers.headers.last = &detached->headers.headers.part;
    return detached;
}

}  // namespace larder::ngx
