#include "ngx_module/request/target.hpp"

#include "cache/request/url.hpp"
#include "ngx_module/request/headers.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// The authority of an absolute target, or ":authority" where nginx does not make it the Host field: HTTP/2 from 1.28.1 and
// HTTP/3. In HTTP/1 nginx marks the host alone; the port follows it in the request line.
std::string_view target_authority(const ngx_http_request_t* r) {
    const u_char* begin = r->host_start;
    const u_char* end = r->host_end;
    if (r->http_version < NGX_HTTP_VERSION_20 && *end == ':') {
        end++;
        while (*end >= '0' && *end <= '9') end++;
    }
    return {reinterpret_cast<const char*>(begin), static_cast<std::size_t>(end - begin)};
}

// As the client spelt it.
std::string_view sent_authority(ngx_http_request_t* r) {
    // An absolute target overrules Host (RFC 9112 section 3.2.2).
    const ngx_http_request_t* main = r->main;
    if (main->host_start != nullptr && main->host_end != nullptr) return target_authority(main);
    if (r->headers_in.host != nullptr) return view(r->headers_in.host->value);
    if (r->headers_in.server.len != 0) return view(r->headers_in.server);
    auto* server =
        static_cast<ngx_http_core_srv_conf_t*>(ngx_http_get_module_srv_conf(r, ngx_http_core_module));
    return view(server->server_name);
}

}  // namespace

std::string_view request_authority(ngx_http_request_t* r, std::string& storage) {
    std::string_view authority = normalise_authority(sent_authority(r), request_scheme(r), storage);
    return authority.empty() ? "_" : authority;
}

}  // namespace larder::ngx
