// An ESI page being assembled: fragments are fetched in parallel by subrequests, their bodies kept in memory, and the page
// goes out in order as far as it is complete. Nested ESI fragments are documents of the same page.
#pragma once

#include <string_view>

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// The PageStarter (request/fragment.hpp).
ngx_int_t assemble_page(ngx_http_request_t* r, Ctx* ctx, std::string_view document, std::string_view plan);

}  // namespace larder::ngx
