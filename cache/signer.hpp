// Signed texts in the format of Django's TimestampSigner, with Larder's own key, so that Larder and a Django site can
// check each other's.
//
//   text = VALUE ":" base62(Unix time in seconds) ":" base64url(HMAC-SHA-256(SHA-256(salt + "signer" + key), VALUE
//     ":" timestamp))
//
// Tested with Django 3.2 to 6.1. SHA-1 signatures are neither made nor accepted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder {

inline constexpr std::string_view route_salt = "larder.route";
inline constexpr std::string_view pin_salt = "larder.pin";
inline constexpr std::string_view cookie_salt = "larder.cookie";
inline constexpr std::string_view render_salt = "larder.render";
inline constexpr std::size_t min_signing_key_bytes = 16;
inline constexpr std::int64_t signed_cookie_age_s =
    14 * 86400;  // default of the longest age in seconds

class Signer {
public:
    // Signs with keys[0] and accepts signatures by any of `keys`. Throws std::invalid_argument if there is no key.
    Signer(std::vector<std::string> keys, std::string_view salt);

    std::string sign(std::string_view value, std::int64_t now_s) const;

    // Returns the value, as a view into `text`. nullopt if the text is malformed or forged, more than 60 s from the
    // future, or older than max_age_s. The comparison of signatures takes constant time.
    std::optional<std::string_view> unsign(std::string_view text, std::int64_t now_s,
                                           std::int64_t max_age_s) const;

private:
    std::vector<std::string> derived_keys_;  // 32 bytes each
};

}  // namespace larder
