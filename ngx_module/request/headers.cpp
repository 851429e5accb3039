// Access to single header fields.
#include "ngx_module/request/headers.hpp"

#include <new>

#include "cache/response/fields.hpp"

namespace larder::ngx {

std::optional<std::string_view> find_header(ngx_http_request_t* r, std::string_view name) {
    std::optional<std::string_view> found;
    std::string joined;
    each_request_header(r->headers_in, [&](const ngx_table_elt_t& header) {
        if (!equals_ignore_case(view(header.key), name)) return true;
        if (found) {
            if (joined.empty()) joined = *found;
            joined.append(", ").append(view(header.value));
        } else {
            found = view(header.value);
        }
        return true;
    });
    if (joined.empty()) return found;
    ngx_str_t list = copy(r->pool, joined);
    if (list.data == nullptr) throw std::bad_alloc();
    return view(list);
}

ngx_table_elt_t* push_header(ngx_http_request_t* r, ngx_list_t* list, std::string_view name,
                             std::string_view value) {
    auto* header = static_cast<ngx_table_elt_t*>(ngx_list_push(list));
    if (header == nullptr) throw std::bad_alloc();
    *header = ngx_table_elt_t{};
    header->key = copy(r->pool, name);
    header->value = copy(r->pool, value);
    header->lowcase_key = static_cast<u_char*>(ngx_pnalloc(r->pool, name.size()));
    if (header->key.data == nullptr || header->value.data == nullptr || header->lowcase_key == nullptr)
        throw std::bad_alloc();
    header->hash = ngx_hash_strlow(header->lowcase_key, header->key.data, header->key.len);
    return header;
}

}  // namespace larder::ngx
