// The render call: larderd asks nginx to make a page anew. nginx does it as it does a refresh of its own, stores the entry, and says
// how it went.
//
//   POST /.larder/render        with a field Larder-Render: the digest of the body, signed (signer.hpp)
//
// Body (version 1), little-endian:
//   u8 version | u8 flags (1: unconditional, 2: with a policy, 4: as_visitor) | u64 fence | text16 route | policy, if any | text16 variant
// Answer: status 200, one line of text: RESULT STATUS RETRY_AFTER KEY DETAIL.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cache/response/policy.hpp"
#include "cache/signer.hpp"

namespace larder {

inline constexpr std::string_view render_path = "/.larder/render";
inline constexpr std::string_view render_field = "Larder-Render";
inline constexpr std::int64_t render_call_age_s = 60;  // older ones are refused
inline constexpr std::size_t max_render_call_bytes = 32768;

struct RenderCall {
    bool unconditional = false;    // all of the page is wanted, whether or not it has changed
    bool as_visitor = false;       // the page that who sends no more than the variant holds gets, under the key that nginx gives it
    std::uint64_t fence = 0;       // purge sequence that the caller knows of: the render is not older
    std::string route;             // value of Larder-Route for the backend; empty: none
    std::optional<Policy> policy;  // in the place of the location's, as an include has changed it
    std::string variant;           // encoded; nobody's own
};

std::string encode_render_call(const RenderCall& call);
// Full check of hostile bytes, variant included. Nothing, and the reason in *why, unless they are exactly one call.
std::optional<RenderCall> decode_render_call(std::string_view bytes, const char** why);

// The value of the field Larder-Render for a body: a signature by each of the keys: while keys are changed, who checks may know only one of them.
std::string sign_render_call(std::span<const std::string> keys, std::string_view body, std::int64_t now_s);
// Whether one of them is by a key of `signer`, which is of render_salt.
bool is_signed_render_call(const Signer& signer, std::string_view field, std::string_view body, std::int64_t now_s);

enum class RenderResult : std::uint8_t {
    stored,      // in the store, for all
    near,        // kept by that nginx alone: the page is too large for the store, or the location uses none
    unstorable,  // the site's answer may not be kept
    failed,      // no answer, or one that is a failure
    misled,      // the configuration leads such a request elsewhere than the page's visitors
};

struct RenderReport {
    RenderResult result = RenderResult::failed;
    std::uint16_t status = 0;         // of the site's answer; 0: there was none, or it was not what failed
    std::uint32_t retry_after_s = 0;  // as the site asked for with a failure
    std::string key;                  // stored: of the entry (key.hpp); else "-"
    std::string detail;               // for logs: one line
};

std::string encode_report(const RenderReport& report);
std::optional<RenderReport> decode_report(std::string_view line);

}  // namespace larder
