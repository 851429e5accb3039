// Everything that differs between versions of nginx, each with the version that changed it.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// 1.23.0: header fields of the same name form a linked list; before, an array pointed to them. Null or a zeroed
// array: no field.
#if nginx_version >= 1023000
using SameFields = ngx_table_elt_t*;

template <typename F>
void each_of(const SameFields& fields, F&& f) {
    for (ngx_table_elt_t* field = fields; field != nullptr; field = field->next) f(*field);
}
inline bool add_to(SameFields& fields, ngx_pool_t*, ngx_table_elt_t* field) {
    field->next = fields;
    fields = field;
    return true;
}
inline void forget(SameFields& fields) {
    fields = nullptr;
}
inline SameFields& cookie_fields(ngx_http_headers_in_t& headers) {
    return headers.cookie;
}
inline const SameFields& cookie_fields(const ngx_http_headers_in_t& headers) {
    return headers.cookie;
}
#else
using SameFields = ngx_array_t;

template <typename F>
void each_of(const SameFields& fields, F&& f) {
    auto** field = static_cast<ngx_table_elt_t**>(fields.elts);
    for (ngx_uint_t i = 0; i < fields.nelts; i++) f(*field[i]);
}
// False: out of memory.
inline bool add_to(SameFields& fields, ngx_pool_t* pool, ngx_table_elt_t* field) {
    if (fields.elts == nullptr && ngx_array_init(&fields, pool, 2, sizeof(ngx_table_elt_t*)) != NGX_OK)
        return false;
    auto** place = static_cast<ngx_table_elt_t**>(ngx_array_push(&fields));
    if (place == nullptr) return false;
    *place = field;
    return true;
}
inline void forget(SameFields& fields) {
    fields.nelts = 0;
}
inline SameFields& cookie_fields(ngx_http_headers_in_t& headers) {
    return headers.cookies;
}
inline const SameFields& cookie_fields(const ngx_http_headers_in_t& headers) {
    return headers.cookies;
}
#endif

// 1.29.3: nginx keeps the port that the client named, for $request_port and $is_request_port.
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

// 1.25.0: HTTP/3, in which each stream has a connection of its own.
#if (NGX_HTTP_V3)
inline bool is_quic_stream(const ngx_connection_t* c) {
    return c->quic != nullptr;
}
// Whether nginx asks the stream's request to end because its QUIC connection has ended. False when
// worker_shutdown_timeout has passed: that is an error of the connection.
inline bool ends_with_quic_connection(const ngx_connection_t* c) {
    return c->close && !c->quic->parent->error;
}
#else
inline bool is_quic_stream(const ngx_connection_t*) {
    return false;
}
inline bool ends_with_quic_connection(const ngx_connection_t*) {
    return false;
}
#endif

// Whether connections to this address use TLS.
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
