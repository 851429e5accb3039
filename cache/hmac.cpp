// One OpenSSL context per thread.
#include "cache/hmac.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <stdexcept>
#include <string>

namespace larder {

namespace {

class Hmac {
public:
    Hmac() = default;
    ~Hmac() {
        EVP_MAC_CTX_free(context_);
        EVP_MAC_free(mac_);
    }
    Hmac(const Hmac&) = delete;
    Hmac& operator=(const Hmac&) = delete;

    bool start(std::string_view key) {
        if (!key_.empty() && key_ == key) return EVP_MAC_init(context_, nullptr, 0, nullptr) == 1;
        key_.clear();
        char digest[] = "SHA256";
        const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                         OSSL_PARAM_construct_end()};
        if (key.empty() || EVP_MAC_init(context_, reinterpret_cast<const unsigned char*>(key.data()),
                                        key.size(), parameters) != 1)
            return false;
        key_ = key;
        return true;
    }

    bool finish(std::string_view message, std::array<unsigned char, 32>& out) {
        std::size_t size = 0;
        return EVP_MAC_update(context_, reinterpret_cast<const unsigned char*>(message.data()),
                              message.size()) == 1 &&
               EVP_MAC_final(context_, out.data(), &size, out.size()) == 1 && size == out.size();
    }

private:
    EVP_MAC* mac_ = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    EVP_MAC_CTX* context_ = EVP_MAC_CTX_new(mac_);
    std::string key_;  // the key of context_; empty: none
};

}  // namespace

std::array<unsigned char, 32> hmac_sha256(std::string_view key, std::string_view message) {
    static thread_local Hmac hmac;
    std::array<unsigned char, 32> out;
    if (!hmac.start(key) || !hmac.finish(message, out)) throw std::runtime_error("HMAC-SHA-256 failed");
    return out;
}

}  // namespace larder
