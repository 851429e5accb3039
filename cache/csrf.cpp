// Masking adds positions in the alphabet, modulo its size.
#include "cache/csrf.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace larder {

namespace {

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

// `sign`: 1 masks `text`, -1 unmasks it.
std::string shifted(std::string_view text, std::string_view mask, int sign) {
    constexpr auto size = static_cast<int>(alphabet.size());
    std::string out(text.size(), '\0');
    for (std::size_t i = 0; i < text.size(); i++) {
        int sum = static_cast<int>(alphabet.find(text[i])) + sign * static_cast<int>(alphabet.find(mask[i]));
        out[i] = alphabet[static_cast<std::size_t>((sum + size) % size)];
    }
    return out;
}

}  // namespace

std::optional<std::string> csrf_secret(std::string_view cookie) {
    if (cookie.find_first_not_of(alphabet) != std::string_view::npos) return std::nullopt;
    if (cookie.size() == csrf_secret_size) return std::string(cookie);
    if (cookie.size() != csrf_token_size) return std::nullopt;
    return shifted(cookie.substr(csrf_secret_size), cookie.substr(0, csrf_secret_size), -1);
}

std::string random_csrf_text() {
    // Skip bytes beyond the largest multiple of the alphabet's size, which would make its first characters more
    // likely.
    constexpr unsigned fair = 256 / alphabet.size() * alphabet.size();
    std::string out;
    unsigned char bytes[2 * csrf_secret_size];
    while (out.size() < csrf_secret_size) {
        if (RAND_bytes(bytes, sizeof bytes) != 1) throw std::runtime_error("no random bytes from OpenSSL");
        for (unsigned char byte : bytes) {
            if (byte < fair && out.size() < csrf_secret_size) out += alphabet[byte % alphabet.size()];
        }
    }
    return out;
}

std::string csrf_token(std::string_view secret, std::string_view mask) {
    return std::string(mask) + shifted(secret, mask, 1);
}

}  // namespace larder
