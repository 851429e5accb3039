// What differs between nginx's versions, as far as more than one file has to know.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// 1.29.3: the port that the client named is kept, for $request_port and $is_request_port.
#if nginx_version >= 1029003
inline in_port_t named_port(const ngx_http_request_t* r) {
    return r->port;
}
inline void set_named_port(ngx_http_request_t* r, in_port_t port) {
    r->port = port;
}
#else
inline in_port_t named_port(const ngx_http_request_t*) {
    return 0;
}
inline void set_named_port(ngx_http_request_t*, in_port_t) {}
#endif

// Whether what comes in there is encrypted.
inline bool is_tls([[maybe_unused]] const ngx_http_addr_conf_t& address) {
    bool tls = false;
#if (NGX_HTTP_SSL)
    tls = address.ssl != 0;
#endif
#if (NGX_HTTP_V3)
    tls = tls || address.quic != 0;
#endif
    return tls;
}

}  // namespace larder::ngx
