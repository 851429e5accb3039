// The functions that nginx provides beyond the built-in ones. nginx and larderd both compile pages with this list, so that
// they produce the same plan.
#pragma once

#include <string_view>

namespace larder::esi {

// $csrf_token(): a token for a form, from the visitor's csrftoken cookie.
inline constexpr std::string_view form_token_function = "csrf_token";
// $signed_cookie('name'[, default]): the value of a cookie, if the site's signature on it is valid.
inline constexpr std::string_view signed_cookie_function = "signed_cookie";

inline constexpr std::string_view page_functions[] = {form_token_function, signed_cookie_function};

}  // namespace larder::esi
