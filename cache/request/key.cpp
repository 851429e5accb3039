// Computes SHA-256 by OpenSSL's EVP interface. Digest and context are made once per thread.
#include "cache/request/key.hpp"

#include <openssl/evp.h>

#include <charconv>
#include <memory>
#include <stdexcept>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace larder {

namespace {

constexpr char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct Sha256 {
    EVP_MD* md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    EVP_MD_CTX* context = EVP_MD_CTX_new();

    Sha256() {
        if (md == nullptr || context == nullptr) throw std::runtime_error("OpenSSL offers no SHA256");
    }
    ~Sha256() {
        EVP_MD_CTX_free(context);
        EVP_MD_free(md);
    }
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
};

int base64url_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    if (c == '_') return 63;
    return -1;
}

// Decodes the escapes of sub-delims, ":", "@", "[" and "]" (RFC 3986 section 3.3) in a normalised path.
std::string without_optional_escapes(std::string_view path) {
    std::string out;
    for (std::size_t at = 0; at < path.size(); at++) {
        int code = 0;
        auto digits = path.substr(at, 3);
        bool escape =
            digits.size() == 3 && digits[0] == '%' &&
            std::from_chars(digits.data() + 1, digits.data() + 3, code, 16).ptr == digits.data() + 3;
        bool optional =
            escape && code != 0 &&
            std::string_view("!$&'()*+,;=:@[]").find(static_cast<char>(code)) != std::string_view::npos;
        out.push_back(optional ? static_cast<char>(code) : path[at]);
        if (optional) at += 2;
    }
    return out;
}

}  // namespace

Key key_of(std::string_view encoded_variant) {
    static thread_local Sha256 sha256;
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_DigestInit_ex2(sha256.context, sha256.md, nullptr) != 1 ||
        EVP_DigestUpdate(sha256.context, encoded_variant.data(), encoded_variant.size()) != 1 ||
        EVP_DigestFinal_ex(sha256.context, digest, nullptr) != 1) {
        throw std::runtime_error("SHA256 failed");
    }
    Key key;
    std::memcpy(key.bytes.data(), digest, key.bytes.size());
    return key;
}

std::string Key::text() const {
    char digits[22];
    char* out = digits;
    for (std::size_t i = 0; i < 15; i += 3) {
        unsigned group = static_cast<unsigned>(bytes[i]) << 16u | static_cast<unsigned>(bytes[i + 1]) << 8u | bytes[i + 2];
        *out++ = base64url[group >> 18u];
        *out++ = base64url[group >> 12u & 63u];
        *out++ = base64url[group >> 6u & 63u];
        *out++ = base64url[group & 63u];
    }
    *out++ = base64url[bytes[15] >> 2u];
    *out++ = base64url[(bytes[15] & 3u) << 4u];
    return {digits, sizeof digits};
}

std::optional<Key> Key::from_text(std::string_view text) {
    if (text.size() != 22) return std::nullopt;
    Key key;
    std::uint32_t bits = 0;
    unsigned held = 0;
    std::size_t filled = 0;
    for (char c : text) {
        int value = base64url_value(c);
        if (value < 0) return std::nullopt;
        bits = bits << 6u | static_cast<unsigned>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            key.bytes[filled++] = static_cast<unsigned char>(bits >> held & 255u);
        }
    }
    if ((bits & 15u) != 0) return std::nullopt;  // 4 bits beyond the 128th must be 0, so that a key has one text
    return key;
}

std::uint64_t text_hash(std::string_view text) {
    return XXH3_64bits(text.data(), text.size());
}

std::uint64_t tag_hash(std::string_view tag) {
    if (tag.find('%') == std::string_view::npos) return text_hash(tag);
    std::string bytes;
    for (std::size_t i = 0; i < tag.size(); i++) {
        unsigned char byte = 0;
        const char* digits = tag.data() + i + 1;
        bool encoded = tag[i] == '%' && tag.size() - i >= 3 &&
                       std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
        bytes.push_back(encoded ? static_cast<char>(byte) : tag[i]);
        if (encoded) i += 2;
    }
    return text_hash(bytes);
}

std::uint64_t url_tag_hash(std::string_view host, std::string_view path) {
    std::string plain;
    if (path.find('%') != std::string_view::npos) path = plain = without_optional_escapes(path);
    // The seed contains the host and differs from tag_hash's, so that no tag of a backend can name a URL.
    return XXH3_64bits_withSeed(path.data(), path.size(),
                                XXH3_64bits_withSeed(host.data(), host.size(), 0x75726c));
}

std::string hash_text(std::uint64_t hash) {
    char digits[16];
    for (int i = 15; i >= 0; i--, hash >>= 4u) digits[i] = "0123456789abcdef"[hash & 15u];
    return std::string(digits, sizeof digits);
}

std::optional<std::uint64_t> hash_from_text(std::string_view text) {
    std::uint64_t value = 0;
    if (text.size() != 16) return std::nullopt;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace larder
