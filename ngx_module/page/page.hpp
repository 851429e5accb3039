// Assembles an ESI page: fetches its fragments in parallel by subrequests, keeps their bodies in memory, and sends
// the page in order, as far as it is complete. Fragments that are ESI documents become part of the same page.
#pragma once

#include <string_view>

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The PageStarter (request/fragment.hpp).
ngx_int_t assemble_page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan);

}  // namespace larder::ngx
