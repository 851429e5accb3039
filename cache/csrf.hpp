// Django's tokens against cross-site request forgery, made at the edge: the csrftoken cookie holds a secret, a form holds the
// secret masked anew for each response, so that compression gives nothing away. Verified on Django 3.2 to 6.1.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace larder {

inline constexpr std::size_t csrf_secret_size = 32;  // letters and digits
inline constexpr std::size_t csrf_token_size = 2 * csrf_secret_size;

// The secret in a cookie's value: the value itself (Django 4.1 and later), or what a masked value hides (before). Nothing when
// it is neither, and so may not be shown to anyone.
std::optional<std::string> csrf_secret(std::string_view cookie);

// 32 letters and digits from OpenSSL's generator: a new secret, or a mask. Throws std::runtime_error when it has none.
std::string random_csrf_text();

// The token for a form: the mask, and the secret under it. Precondition: both as of the functions above.
std::string csrf_token(std::string_view secret, std::string_view mask);

}  // namespace larder
