// Implements Django's TimestampSigner by OpenSSL.
#include "cache/signer.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

#include "cache/hmac.hpp"

namespace larder {

namespace {

constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::string base62_encode(std::int64_t value) {
    std::string out;
    do {
        out.push_back(base62[static_cast<std::size_t>(value % 62)]);
        value /= 62;
    } while (value > 0);
    std::reverse(out.begin(), out.end());
    return out;
}

std::optional<std::int64_t> base62_decode(std::string_view text) {
    if (text.empty() || text.size() > 9) return std::nullopt;  // 9 digits exceed any date
    std::int64_t value = 0;
    for (char c : text) {
        auto digit = base62.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        value = value * 62 + static_cast<std::int64_t>(digit);
    }
    return value;
}

std::string base64url(const unsigned char* bytes, std::size_t size) {
    std::string out(4 * ((size + 2) / 3) + 1, '\0');
    int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size));
    out.resize(static_cast<std::size_t>(length));
    while (!out.empty() && out.back() == '=') out.pop_back();
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
    return out;
}

std::string tag_of(const std::string& key, std::string_view value) {
    auto mac = hmac_sha256(key, value);
    return base64url(mac.data(), mac.size());
}

}  // namespace

Signer::Signer(std::vector<std::string> keys, std::string_view salt) {
    if (keys.empty()) throw std::invalid_argument("a signer needs a key");
    for (const std::string& key : keys) {
        std::string material = std::string(salt) + "signer" + key;
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        if (EVP_Digest(material.data(), material.size(), digest, &size, EVP_sha256(), nullptr) != 1) {
            throw std::runtime_error("SHA-256 failed");
        }
        derived_keys_.emplace_back(reinterpret_cast<char*>(digest), size);
    }
}

std::string Signer::sign(std::string_view value, std::int64_t now_s) const {
    std::string text = std::string(value) + ":" + base62_encode(now_s);
    return text + ":" + tag_of(derived_keys_.front(), text);
}

std::optional<std::string_view> Signer::unsign(std::string_view text, std::int64_t now_s,
                                               std::int64_t max_age_s) const {
    auto tag_at = text.rfind(':');
    if (tag_at == std::string_view::npos || tag_at == 0) return std::nullopt;
    auto time_at = text.rfind(':', tag_at - 1);
    if (time_at == std::string_view::npos) return std::nullopt;
    std::string_view signed_part = text.substr(0, tag_at);
    std::string_view tag = text.substr(tag_at + 1);
    bool genuine = std::any_of(derived_keys_.begin(), derived_keys_.end(), [&](const std::string& key) {
        std::string expected = tag_of(key, signed_part);
        return expected.size() == tag.size() && CRYPTO_memcmp(expected.data(), tag.data(), tag.size()) == 0;
    });
    if (!genuine) return std::nullopt;
    auto signed_at = base62_decode(signed_part.substr(time_at + 1));
    if (!signed_at || *signed_at > now_s + 60 || now_s - *signed_at > max_age_s) return std::nullopt;
    return signed_part.substr(0, time_at);
}

}  // namespace larder
