// The token that $csrf_token() gives, and the visitor's cookie that it is made from. Django takes both for its own.
#pragma once

#include <optional>
#include <string>

#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Sees to it that the visitor has the cookie: sends one with the header if not. True if it does. Before the header leaves.
bool give_form_cookie(ngx_http_request_t* r, Ctx* ctx);

// A token, another one each time. Nothing when larder_csrf is off, or when the visitor has no cookie and gets none.
std::optional<std::string> form_token(ngx_http_request_t* r, const Ctx* ctx);

}  // namespace larder::ngx
