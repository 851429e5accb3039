// The job: an order to regenerate one variant. nginx sends it to larderd, by Redis or by a Unix socket.
//
// Encoding (version 3), little-endian, at most max_job_bytes:
//   u8 version | u8 reason | u32 heat | i64 enqueued_ms | i64 deadline_ms | u64 fence
//   | text16 position | text16 store | u64 store_identity | text16 nginx | u8 policy_of_nginx | policy | text16 variant
//
// Version 1 had no store_identity, version 2 neither nginx nor policy_of_nginx. Both are still accepted. A job never
// holds anything that identifies a person: no job is enqueued for a variant with a private cookie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/response/policy.hpp"

namespace larder {

inline constexpr std::size_t max_job_bytes = 32768;

enum class JobReason : std::uint8_t { stale, purge, prerender, warm, manual };
const char* to_string(JobReason reason);

struct Job {
    JobReason reason = JobReason::stale;
    std::uint32_t heat = 0;        // reserved: sent as 0 and not used
    std::int64_t enqueued_ms = 0;  // Unix time
    std::int64_t deadline_ms = 0;  // reserved: sent as 0 and not used
    std::uint64_t fence = 0;       // purge sequence that the render must not predate; 0: none
    // Database commit position that the render must have seen (cache/position.hpp); empty: none.
    std::string position;
    std::string store;  // name of the store: larder_store NAME, [[store]] name
    std::uint64_t store_identity = 0;  // the store's own identity (cache/wire/store_identity.hpp); 0: unknown
    // The nginx that sent the job and can render the page: "http://ADDRESS:PORT", "https://..." or "unix:/PATH".
    // Empty: unknown.
    std::string nginx;
    bool policy_of_nginx = true;  // the policy is that of a location or include of nginx; false: of larderd's settings
    Policy policy;
    std::string variant;  // encoded

    // If such a job comes while the variant is being rendered, it is rendered once more: the render may have begun before
    // the purge, or before what made an operator ask. A stale hit then changes nothing.
    bool urgent() const { return reason == JobReason::purge || reason == JobReason::manual; }
};

// Offset of enqueued_ms in an encoded job. The queue's Redis scripts write it there (LARDER_LUA_JOB_TIME).
inline constexpr std::size_t job_time_at = 6;

std::string encode_job(const Job& job);
// Checks untrusted bytes completely, with the variant. nullopt, and the reason in *why, unless they are exactly one
// job.
std::optional<Job> decode_job(std::string_view bytes, const char** why);

}  // namespace larder
