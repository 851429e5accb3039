// The encoding of jobs.
#include "cache/job.hpp"

#include "cache/bytes.hpp"
#include "cache/request/variant.hpp"
#include "cache/response/verdict.hpp"

namespace larder {

namespace {
constexpr std::uint8_t job_version = 3;
}

const char* to_string(JobReason reason) {
    switch (reason) {
        case JobReason::stale:
            return "stale";
        case JobReason::purge:
            return "purge";
        case JobReason::prerender:
            return "prerender";
        case JobReason::warm:
            return "warm";
        case JobReason::manual:
            return "manual";
    }
    return "unknown";
}

std::string encode_job(const Job& job) {
    std::string bytes;
    ByteWriter out(bytes);
    out.integer(job_version);
    out.integer(static_cast<std::uint8_t>(job.reason));
    out.integer(job.heat);
    out.integer(job.enqueued_ms);
    out.integer(job.deadline_ms);
    out.integer(job.fence);
    out.text16(job.position);
    out.text16(job.store);
    out.integer(job.store_identity);
    out.text16(job.nginx);
    out.integer(static_cast<std::uint8_t>(job.policy_of_nginx));
    write_policy(out, job.policy);
    out.text16(job.variant);
    return bytes;
}

std::optional<Job> decode_job(std::string_view bytes, const char** why) {
    auto refuse = [why](const char* reason) {
        *why = reason;
        return std::nullopt;
    };
    *why = nullptr;
    if (bytes.size() > max_job_bytes) return refuse("job is longer than 32768 bytes");
    ByteReader in(bytes);
    auto version = in.integer<std::uint8_t>();
    if (version < 1 || version > job_version) return refuse("job has an unknown version");
    Job job;
    auto reason = in.integer<std::uint8_t>();
    if (reason > static_cast<std::uint8_t>(JobReason::manual)) return refuse("job has an unknown reason");
    job.reason = static_cast<JobReason>(reason);
    job.heat = in.integer<std::uint32_t>();
    job.enqueued_ms = in.integer<std::int64_t>();
    job.deadline_ms = in.integer<std::int64_t>();
    job.fence = in.integer<std::uint64_t>();
    job.position = in.text16();
    job.store = in.text16();
    if (version >= 2) job.store_identity = in.integer<std::uint64_t>();
    std::uint8_t policy_of_nginx = 1;
    if (version >= 3) {
        job.nginx = in.text16();
        policy_of_nginx = in.integer<std::uint8_t>();
    }
    job.policy_of_nginx = policy_of_nginx == 1;
    auto policy = read_policy(in);
    if (!policy) return refuse("job has an invalid policy or is truncated");
    job.policy = *policy;
    job.variant = in.text16();
    if (!in.at_end()) return refuse("job is truncated or has trailing bytes");
    if (policy_of_nginx > 1) return refuse("job has an invalid policy or is truncated");
    if (!is_instant(job.enqueued_ms) || !is_instant(job.deadline_ms))
        return refuse("job has impossible times");
    if (!Variant::parse(job.variant, why)) return std::nullopt;
    return job;
}

}  // namespace larder
