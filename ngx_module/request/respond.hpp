// Answers that Larder generates itself, in the content phase.
#pragma once

#include <string_view>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Sends a complete answer. `type` is not copied, `text` is. Returns what the content handler has to return.
ngx_int_t respond(ngx_http_request_t* r, ngx_uint_t status, std::string_view type, std::string_view text);

}  // namespace larder::ngx
