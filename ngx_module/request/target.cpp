#include "ngx_module/request/target.hpp"

#include "cache/response/fields.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/request/ctx.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// The authority of an absolute target, or ":authority" where nginx does not turn that into a Host field: in HTTP/2
// from 1.28.1, and in HTTP/3. In HTTP/1 nginx marks only the host; the port follows it in the request line.
std::string_view target_authority(const ngx_http_request_t* r) {
    const u_char* begin = r->host_start;
    const u_char* end = r->host_end;
    if (r->http_version < NGX_HTTP_VERSION_20 && *end == ':') {
        end++;
        while (*end >= '0' && *end <= '9') end++;
    }
    return {reinterpret_cast<const char*>(begin), static_cast<std::size_t>(end - begin)};
}

// The authority as the client spelt it.
std::string_view sent_authority(ngx_http_request_t* r) {
    // An absolute target overrides Host (RFC 9112 section 3.2.2).
    const ngx_http_request_t* main = r->main;
    if (main->host_start != nullptr && main->host_end != nullptr) return target_authority(main);
    if (r->headers_in.host != nullptr) return view(r->headers_in.host->value);
    if (r->headers_in.server.len != 0) return view(r->headers_in.server);
    auto* server =
        static_cast<ngx_http_core_srv_conf_t*>(ngx_http_get_module_srv_conf(r, ngx_http_core_module));
    return view(server->server_name);
}

// Encodes a decoded URI as nginx does when it forwards a URI that the configuration changed.
std::string encoded_uri(const ngx_str_t& uri) {
    uintptr_t extra = ngx_escape_uri(nullptr, uri.data, uri.len, NGX_ESCAPE_URI);
    std::string encoded(uri.len + 2 * extra, '\0');
    ngx_escape_uri(reinterpret_cast<u_char*>(encoded.data()), uri.data, uri.len, NGX_ESCAPE_URI);
    return encoded;
}

// Whether nginx leaves this normalised path as it is: no escapes, no slashes to merge.
bool is_decoded(std::string_view path) {
    char before = '\0';
    for (char c : path) {
        if (c == '%' || (c == '/' && before == '/')) return false;
        before = c;
    }
    return true;
}

// Whether a request for this path would be at r's present URI.
bool leads_there(ngx_http_request_t* r, std::string_view path) {
    std::string storage;
    return decoded_path(r, path, storage) == view(r->uri);
}

}  // namespace

std::string_view visitor_scheme(const ngx_http_request_t* r) {
    std::string_view told;
    each_request_header(r->headers_in, [&told](const ngx_table_elt_t& header) {
        if (!equals(header.key, "x-forwarded-proto")) return true;
        told = trim_ows(view(header.value).substr(0, view(header.value).find(',')));
        return false;
    });
    if (equals_ignore_case(told, "https")) return "https";
    if (equals_ignore_case(told, "http")) return "http";
    return is_https(r) ? "https" : "http";
}

std::string_view request_authority(ngx_http_request_t* r, std::string_view scheme, std::string& storage) {
    std::string_view authority = normalise_authority(sent_authority(r), scheme, storage);
    return authority.empty() ? "_" : authority;
}

std::string_view sent_target(ngx_http_request_t* r, std::string& storage) {
    Ctx* ctx = ctx_of(r);
    if (r == r->main || (ctx != nullptr && ctx->role == Role::fragment)) return view(r->unparsed_uri);
    storage = encoded_uri(r->uri);
    if (r->args.len != 0) storage.append("?").append(view(r->args));
    return storage;
}

std::string_view led_to(ngx_http_request_t* r, const Target& sent, std::string_view path, const QueryRule& rule,
                        std::string& storage) {
    bool new_query = view(r->args) != sent.query;
    const std::string& place = loc_conf(r)->place;
    if (place.empty() && !new_query && leads_there(r, path)) return {};
    storage = place + encoded_uri(r->uri);
    std::string query;
    if (new_query) storage.append("?").append(normalise_query(rule, view(r->args), query));
    return storage;
}

std::optional<std::string_view> decoded_path(ngx_http_request_t* r, std::string_view path, std::string& storage) {
    if (is_decoded(path)) return path;
    auto* server =
        static_cast<ngx_http_core_srv_conf_t*>(ngx_http_get_module_srv_conf(r, ngx_http_core_module));
    // Call nginx's own parser on a request that has only the fields the parser reads. It needs one readable byte
    // after the URI.
    ngx_http_request_t parsed{};
    std::string text(path);
    storage.assign(path.size() + 1, '\0');
    parsed.connection = r->connection;
    parsed.pool = r->pool;
    parsed.uri_start = reinterpret_cast<u_char*>(text.data());
    parsed.uri_end = parsed.uri_start + text.size();
    parsed.uri = {text.size(), reinterpret_cast<u_char*>(storage.data())};
    if (ngx_http_parse_complex_uri(&parsed, server->merge_slashes) != NGX_OK) return std::nullopt;
    storage.resize(parsed.uri.len);
    return storage;
}

Url request_url(ngx_http_request_t* r) {
    std::string storage, target_storage;
    Target target = split_target(sent_target(r, target_storage));
    Url url;
    url.scheme = visitor_scheme(r);
    url.authority = request_authority(r, url.scheme, storage);
    url.path = normalise_path(target.path, storage);
    url.query = normalise_escapes(target.query, storage);
    return url;
}

}  // namespace larder::ngx
