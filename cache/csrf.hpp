// Django's CSRF tokens, made by Larder. The csrftoken cookie holds a secret. A form holds the secret under a mask
// that is new for each response, so that the size of a compressed response reveals nothing (BREACH). Tested with
// Django 3.2 to 6.1.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace larder {

inline constexpr std::size_t csrf_secret_size = 32;  // characters, all letters and digits
inline constexpr std::size_t csrf_token_size = 2 * csrf_secret_size;

// The secret in a cookie's value: the value itself (Django 4.1 and later), or what a masked value hides (earlier).
// nullopt if it is neither; then it must not be reflected to anyone.
std::optional<std::string> csrf_secret(std::string_view cookie);

// 32 random letters and digits from OpenSSL: a new secret, or a mask. Throws std::runtime_error if OpenSSL has no
// random bytes.
std::string random_csrf_text();

// The token for a form: the mask, followed by the masked secret. Precondition: both are results of the functions
// above.
std::string csrf_token(std::string_view secret, std::string_view mask);

}  // namespace larder
