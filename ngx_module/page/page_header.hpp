// What the header of an ESI page says because of what the page is made of.
#pragma once

#include <string_view>

#include "ngx_module/request/request.hpp"

namespace larder::ngx {

// To be called before the header leaves. `plan`: the page's own, may be empty. A page that depends on its visitor is for that
// visitor's browser alone, whatever its template's header says; one that hands out a cookie is for no cache at all.
void set_page_header(ngx_http_request_t* r, Ctx* ctx, std::string_view plan);

}  // namespace larder::ngx
