// Compares secrets in constant time (CRYPTO_memcmp).
#include "authorization.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <string>

namespace larder::daemon {

namespace {

bool same_secret(std::string_view given, std::string_view wanted) {
    return given.size() == wanted.size() && CRYPTO_memcmp(given.data(), wanted.data(), given.size()) == 0;
}

std::string base64_decode(std::string_view text) {
    std::string out(text.size(), '\0');
    int size =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) return {};
    for (std::size_t i = text.size(); i > 0 && text[i - 1] == '='; i--) size--;
    out.resize(static_cast<std::size_t>(std::max(size, 0)));
    return out;
}

}  // namespace

bool is_authorized(std::string_view authorization, std::string_view token) {
    if (token.empty()) return false;
    if (authorization.starts_with("Bearer ")) return same_secret(authorization.substr(7), token);
    if (!authorization.starts_with("Basic ")) return false;
    std::string login = base64_decode(authorization.substr(6));
    std::size_t colon = login.find(':');
    return colon != std::string::npos && same_secret(std::string_view(login).substr(colon + 1), token);
}

}  // namespace larder::daemon
