// Access to a request's scheme, location, header fields, and to the fields of its response.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ngx_module/nginx_versions.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/request/own_request.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

// A request that Larder made has no client's connection. It counts as HTTPS if the address does that it stands for.
inline bool is_https(const ngx_http_request_t* r) {
    if (is_own(r)) return is_tls(*r->main->http_connection->addr_conf);
#if (NGX_HTTP_SSL)
    return r->connection->ssl != nullptr;
#else
    return false;
#endif
}

// r's present location, in the configuration of nginx's core module.
inline const ngx_http_core_loc_conf_t* core_location(ngx_http_request_t* r) {
    return static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
}

// Calls f(element) for each field, until f returns false.
template <typename F>
void each_request_header(const ngx_http_headers_in_t& headers, F&& f) {
    for (const ngx_list_part_t* part = &headers.headers.part; part != nullptr; part = part->next) {
        auto* elements = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (!f(elements[i])) return;
        }
    }
}

// Calls f(value) for each Cookie field.
template <typename F>
void each_cookie_field(const ngx_http_headers_in_t& headers, F&& f) {
    each_of(cookie_fields(headers), [&f](ngx_table_elt_t& field) { f(view(field.value)); });
}

// Calls f(element) for each element of the list.
template <typename F>
void each_element(ngx_list_t& headers, F&& f) {
    for (ngx_list_part_t* part = &headers.part; part != nullptr; part = part->next) {
        auto* elements = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) f(elements[i]);
    }
}

// Calls f(element) for each field of the response. Fields with hash 0 are not sent.
template <typename F>
void each_response_header(ngx_http_request_t* r, F&& f) {
    each_element(r->headers_out.headers, std::forward<F>(f));
}

// The field's value; if the request has several such fields, their values joined by ", " (RFC 9110 section 5.3).
// Names are compared without case. Throws std::bad_alloc.
std::optional<std::string_view> find_header(ngx_http_request_t* r, std::string_view name);

// Appends a field to the list, with copies of name and value in r's pool. Throws std::bad_alloc.
ngx_table_elt_t* push_header(ngx_http_request_t* r, ngx_list_t* list, std::string_view name,
                             std::string_view value);

// The fields of r that the configuration may look at, with lower-case names. Leaves out those about this one request:
// its connection, body, conditions and ranges.
std::vector<std::pair<std::string, std::string>> fields_of_visitor(ngx_http_request_t* r);

}  // namespace larder::ngx
