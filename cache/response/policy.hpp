// The policy of a location: what the operator configured about freshness, staleness and ESI. It travels with each
// job, so that larderd judges an answer by the same rules as nginx.
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
    automatic,  // only answers with Surrogate-Control: content="ESI/1.0"
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
    std::vector<ValidRule> valid;  // freshness of answers that state none; the first matching rule counts
    bool valid_overrides = false;  // ... and of those that do
    bool never_stale = false;
    std::uint32_t while_s = 86400;  // stale-while-revalidate of answers that have none
    std::uint32_t error_s = 86400;  // stale-if-error of answers that have none
    std::uint32_t keep_s = 86400;  // how long a stale entry with a validator is kept for revalidation; 0: not
    // Percentage of the time since Last-Modified, used if nothing else gives a lifetime (RFC 9111 4.2.2)
    std::uint8_t heuristic_percent = 0;
    std::uint32_t heuristic_max_s = 86400;
    bool keep_nonces = false;  // store pages whose Content-Security-Policy has a nonce
    std::vector<std::string> strip_cookies;  // names of Set-Cookie fields to remove before storing; "*": all
    std::vector<std::string> targeted = {
        "CDN-Cache-Control"};  // targeted fields for us; the first valid one counts (RFC 9213 section 2.2)
    Failures failures = Failures::usual();
    EsiMode esi = EsiMode::off;
    std::uint32_t max_body = 1u << 20;  // bytes; longer answers are not stored
    std::uint16_t esi_max_includes = 256;
    std::uint8_t esi_max_depth = 5;

    bool operator==(const Policy&) const = default;
};

void write_policy(ByteWriter& out, const Policy& policy);
// nullopt if the bytes are not a valid policy.
std::optional<Policy> read_policy(ByteReader& in);

}  // namespace larder
