// The scheme and the header fields of a request, and the fields of its response, one by one.
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

// A request of our own has no connection to a client: it is what comes in where it stands for one.
inline bool is_https(const ngx_http_request_t* r) {
    if (is_own(r)) return is_tls(*r->main->http_connection->addr_conf);
#if (NGX_HTTP_SSL)
    return r->connection->ssl != nullptr;
#else
    return false;
#endif
}

// The location where r is now, as nginx's core module has it.
inline const ngx_http_core_loc_conf_t* core_location(ngx_http_request_t* r) {
    return static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
}

// f(element) returns whether to go on.
template <typename F>
void each_request_header(const ngx_http_headers_in_t& headers, F&& f) {
    for (const ngx_list_part_t* part = &headers.headers.part; part != nullptr; part = part->next) {
        auto* elements = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (!f(elements[i])) return;
        }
    }
}

// f(the value of a Cookie field)
template <typename F>
void each_cookie_field(const ngx_http_headers_in_t& headers, F&& f) {
    each_of(cookie_fields(headers), [&f](ngx_table_elt_t& field) { f(view(field.value)); });
}

// f(element)
template <typename F>
void each_element(ngx_list_t& headers, F&& f) {
    for (ngx_list_part_t* part = &headers.part; part != nullptr; part = part->next) {
        auto* elements = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) f(elements[i]);
    }
}

// f(element). One whose hash is 0 is not sent.
template <typename F>
void each_response_header(ngx_http_request_t* r, F&& f) {
    each_element(r->headers_out.headers, std::forward<F>(f));
}

// The field's value; of several lines, the list that they are together (RFC 9110 section 5.3). Throws std::bad_alloc.
std::optional<std::string_view> find_header(ngx_http_request_t* r, std::string_view name);

// A field at the end of the list, copied into r's pool. Throws std::bad_alloc.
ngx_table_elt_t* push_header(ngx_http_request_t* r, ngx_list_t* list, std::string_view name,
                             std::string_view value);

// The fields of r that the configuration may look at, but for those that are of this one request alone: of its connection, its body,
// its conditions and ranges.
std::vector<std::pair<std::string, std::string>> fields_of_visitor(ngx_http_request_t* r);

}  // namespace larder::ngx
