// Conditions of directives such as larder_bypass: a value that is neither empty nor "0".
#pragma once

#include <algorithm>
#include <vector>

#include "ngx_module/text.hpp"

namespace larder::ngx {

inline bool is_true(ngx_http_request_t* r, const ngx_http_complex_value_t& condition) {
    ngx_str_t value;
    return ngx_http_complex_value(r, const_cast<ngx_http_complex_value_t*>(&condition), &value) == NGX_OK &&
           value.len != 0 && view(value) != "0";
}

inline bool any_true(ngx_http_request_t* r, const std::vector<ngx_http_complex_value_t>& conditions) {
    return std::any_of(conditions.begin(), conditions.end(),
                       [r](const ngx_http_complex_value_t& condition) { return is_true(r, condition); });
}

}  // namespace larder::ngx
