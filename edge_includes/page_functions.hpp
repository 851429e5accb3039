// The functions that nginx gives to pages beyond the built-in ones. Whoever compiles a page, nginx or larderd, does it with this
// list, so that a page means the same wherever it was made.
#pragma once

#include <string_view>

namespace larder::esi {

// $csrf_token(): a token for a form, from the visitor's csrftoken cookie.
inline constexpr std::string_view form_token_function = "csrf_token";
// $signed_cookie('name'[, default]): the value of a cookie that the site has signed.
inline constexpr std::string_view signed_cookie_function = "signed_cookie";

inline constexpr std::string_view page_functions[] = {form_token_function, signed_cookie_function};

}  // namespace larder::esi
