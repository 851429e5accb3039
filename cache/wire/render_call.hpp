// The render call: larderd asks nginx to render a page. nginx does that as for a refresh of its own, stores the
// entry, and reports the outcome.
//
//   POST /.larder/render, with a field Larder-Render: the signed digest of the body (signer.hpp)
//
// Body (version 1), little-endian:
//   u8 version | u8 flags (1: unconditional, 2: with a policy, 4: as_visitor) | u64 fence | text16 route | policy, if
//     any | text16 variant
//
// Answer: status 200 and one line of text: RESULT STATUS RETRY_AFTER KEY DETAIL.
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
inline constexpr std::int64_t render_call_age_s = 60;  // calls older than this (seconds) are refused
inline constexpr std::size_t max_render_call_bytes = 32768;

struct RenderCall {
    bool unconditional = false;    // render the page even if a conditional request would do
    // Render the page for a visitor who sends no more than the variant holds, and store it under the key that nginx
    // computes for it.
    bool as_visitor = false;
    std::uint64_t fence = 0;       // purge sequence that the caller knows; the render must not predate it
    std::string route;             // value of Larder-Route for the backend; empty: none
    std::optional<Policy> policy;  // replaces the location's policy, e.g. as changed by an include
    std::string variant;           // encoded; not personal
};

std::string encode_render_call(const RenderCall& call);
// Checks untrusted bytes completely, with the variant. nullopt, and the reason in *why, unless they are exactly one
// call.
std::optional<RenderCall> decode_render_call(std::string_view bytes, const char** why);

// The value of Larder-Render for a body: one signature by each key. While keys are being changed, nginx may know only
// one of them.
std::string sign_render_call(std::span<const std::string> keys, std::string_view body, std::int64_t now_s);
// Whether one of the signatures is valid and recent. `signer`: made with render_salt.
bool is_signed_render_call(const Signer& signer, std::string_view field, std::string_view body, std::int64_t now_s);

enum class RenderResult : std::uint8_t {
    stored,      // in the store, for all machines
    near,        // in that nginx's near cache only: too large for the store, or the location has none
    unstorable,  // the site's answer can't be stored
    failed,      // no answer, or a failure
    misled,      // the configuration leads the request elsewhere than the page's visitors
};

struct RenderReport {
    RenderResult result = RenderResult::failed;
    std::uint16_t status = 0;         // of the site's answer; 0: no answer, or not the reason of the failure
    std::uint32_t retry_after_s = 0;  // Retry-After of a failure; 0: none
    std::string key;                  // of the entry, if one was made (key.hpp); else "-"
    std::string detail;               // one line, for logs
};

std::string encode_report(const RenderReport& report);
std::optional<RenderReport> decode_report(std::string_view line);

}  // namespace larder
