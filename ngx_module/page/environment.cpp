// Views into nginx's request; it outlives every page made from it.
#include "ngx_module/page/environment.hpp"

#include <algorithm>

#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

std::optional<std::string_view> find_header(ngx_http_request_t* r, std::string_view lower_name) {
    for (ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr; part = part->next) {
        auto* elements = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (equals(elements[i].key, lower_name)) return view(elements[i].value);
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string_view> RequestEnvironment::cookie(std::string_view name) {
    const auto& allowed = conf_->esi_cookies.value();
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) return std::nullopt;
    ngx_str_t wanted = str(name), value;
#if nginx_version >= 1023000
    if (ngx_http_parse_multi_header_lines(request_, request_->headers_in.cookie, &wanted, &value) == nullptr)
        return std::nullopt;
#else
    if (ngx_http_parse_multi_header_lines(&request_->headers_in.cookies, &wanted, &value) == NGX_DECLINED)
        return std::nullopt;
#endif
    return view(value);
}

std::optional<std::string_view> RequestEnvironment::header(std::string_view name) {
    return find_header(request_, name);
}

std::string_view RequestEnvironment::query_string() {
    return view(request_->args);
}

std::string_view RequestEnvironment::host() {
    return request_->headers_in.host != nullptr ? view(request_->headers_in.host->value) : std::string_view{};
}

std::string_view RequestEnvironment::method() {
    return view(request_->method_name);
}

std::string_view RequestEnvironment::path() {
    return view(request_->uri);
}

std::string_view RequestEnvironment::scheme() {
#if (NGX_HTTP_SSL)
    if (request_->connection->ssl != nullptr) return "https";
#endif
    return "http";
}

std::int64_t RequestEnvironment::unix_time() {
    return ngx_time();
}

}  // namespace larder::ngx
