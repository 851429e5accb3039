// The value of $csrf_token(), and the visitor's cookie that it is derived from. Django accepts both as its own.
#pragma once

#include <optional>
#include <string>

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Adds Set-Cookie to the response header if the visitor does not have the cookie yet, and returns true then. Call it
// before the header is sent. Throws std::bad_alloc.
bool give_form_cookie(ngx_http_request_t* r, Ctx* ctx);

// A new token for each call. nullopt if larder_csrf is off, or if the visitor has no cookie and this answer sets
// none.
std::optional<std::string> form_token(ngx_http_request_t* r, const Ctx* ctx);

}  // namespace larder::ngx
