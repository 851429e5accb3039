// The policy of a location: what the operator said about freshness, staleness and ESI. Travels with each job, so that
// the daemon stores an answer exactly as nginx would have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/response/failure.hpp"

namespace larder {

class ByteWriter;
class ByteReader;

enum class EsiMode : std::uint8_t {
    off,
    on,         // every textual answer is an ESI document
    automatic,  // only one whose Surrogate-Control says content="ESI/1.0"
};

struct ValidRule {
    std::uint16_t status = 0;   // 0: 200, 301 and 302 (a bare `larder_valid TIME`); 1: any status
    std::uint32_t fresh_s = 0;  // 0: don't store

    bool operator==(const ValidRule&) const = default;
};

inline constexpr std::size_t max_valid_rules = 32;
inline constexpr std::size_t max_strip_cookies = 64;
inline constexpr std::size_t max_targeted = 8;

struct Policy {
    std::vector<ValidRule>
        valid;  // freshness where the answer says nothing; the first rule that matches counts
    bool valid_overrides = false;  // ... and also where it does
    bool never_stale = false;
    std::uint32_t while_s = 86400;  // stale while regenerating, unless the answer says stale-while-revalidate
    std::uint32_t error_s = 86400;  // stale on error, unless the answer says stale-if-error
    std::uint32_t keep_s =
        86400;  // how long a stale entry with a validator is good to ask whether it changed; 0: not
    std::uint8_t heuristic_percent =
        0;  // of the time since Last-Modified, where nothing else says how long (RFC 9111 4.2.2)
    std::uint32_t heuristic_max_s = 86400;
    bool keep_nonces = false;  // pages whose Content-Security-Policy has a nonce are kept all the same
    std::vector<std::string>
        strip_cookies;  // Set-Cookie of these names is removed from what is stored; "*": of all
    std::vector<std::string> targeted = {
        "CDN-Cache-Control"};  // fields for us, the first that is there and valid counts (RFC 9213 section 2.2)
    Failures failures = Failures::usual();
    EsiMode esi = EsiMode::off;
    std::uint32_t max_body = 1u << 20;  // bytes; a longer answer passes through unstored
    std::uint16_t esi_max_includes = 256;
    std::uint8_t esi_max_depth = 5;

    bool operator==(const Policy&) const = default;
};

void write_policy(ByteWriter& out, const Policy& policy);
// Nothing if the bytes hold no valid policy.
std::optional<Policy> read_policy(ByteReader& in);

}  // namespace larder
