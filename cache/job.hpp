// The job: "regenerate this variant". The one message from nginx to the daemon, by Redis or by unix socket.
//
// Encoded form (version 3), little-endian, at most max_job_bytes:
//   u8 version | u8 reason | u32 heat | i64 enqueued_ms | i64 deadline_ms | u64 fence
//   | text16 position | text16 store | u64 store_identity | text16 nginx | u8 policy_of_nginx | policy | text16 variant
// Version 1 had no store_identity, version 2 neither nginx nor policy_of_nginx; both are understood.
// Rule: nothing that identifies a person is ever in a job; a variant that holds a private cookie is not enqueued.
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
    std::uint32_t heat = 0;        // requests that asked for it lately; higher goes first within a reason
    std::int64_t enqueued_ms = 0;  // Unix time
    std::int64_t deadline_ms = 0;  // Unix time after which nobody wants the result any more; 0: none
    std::uint64_t fence = 0;       // purge sequence that the render must not be older than; 0: none
    std::string
        position;       // database commit position that the render must have seen (daemon/replicas/decide/position.hpp); empty: none
    std::string store;  // name of the store (larder_store NAME, [[store]] name)
    std::uint64_t store_identity = 0;  // what that store calls itself (cache/wire/store_identity.hpp); 0: unknown
    // Who can make the page: the nginx that asked, as "http://ADDRESS:PORT", "https://..." or "unix:/PATH". Empty: not said.
    std::string nginx;
    bool policy_of_nginx = true;  // the policy is of a location of nginx, or of an include; else of larderd's settings
    Policy policy;
    std::string variant;  // encoded

    // A purge that arrives while the variant is being rendered makes it render once more; a stale hit does not.
    bool urgent() const { return reason == JobReason::purge; }
};

// Where enqueued_ms stands in an encoded job: the queue's scripts in Redis set it (LARDER_LUA_JOB_TIME).
inline constexpr std::size_t job_time_at = 6;

std::string encode_job(const Job& job);
// Full check of hostile bytes, variant included. Nothing, and the reason in *why, unless they are exactly one job.
std::optional<Job> decode_job(std::string_view bytes, const char** why);

}  // namespace larder
