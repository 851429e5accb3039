// Signed texts in Django's TimestampSigner format with Larder's own key, so that either side checks the other's.
//
// text = VALUE ":" base62(unix seconds) ":" base64url(HMAC-SHA-256(SHA-256(salt + "signer" + key), VALUE ":" timestamp))
// Verified on Django 3.2 to 6.1. SHA-1 tags are never made nor accepted.
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
    14 * 86400;  // how old one may be, if nothing else is said

class Signer {
public:
    // Signs with keys[0], accepts any of `keys`. Precondition: at least one key.
    Signer(std::vector<std::string> keys, std::string_view salt);

    std::string sign(std::string_view value, std::int64_t now_s) const;

    // The value, or nothing when the text is malformed, forged, from the future by more than 60 s, or older than max_age_s.
    // The view points into `text`. Comparison takes the same time wherever the first difference is.
    std::optional<std::string_view> unsign(std::string_view text, std::int64_t now_s,
                                           std::int64_t max_age_s) const;

private:
    std::vector<std::string> derived_keys_;  // 32 bytes each
};

}  // namespace larder
