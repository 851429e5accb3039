// Builds and enqueues jobs.
#include "new_job.hpp"

#include "cache/request/key.hpp"
#include "daemon/clock.hpp"
#include "cache/priority.hpp"

namespace larder::daemon {

std::string plain_variant(const PageAddress& page) {
    Variant variant;
    variant.method = "GET";
    variant.scheme = page.scheme;
    variant.host = page.host;
    variant.path = page.path;
    variant.query = page.query;
    std::size_t size = page.host.size() + page.path.size() + page.query.size() + 64;
    return size > max_variant_bytes ? std::string() : variant.encode();
}

Enqueued enqueue_new(Queue& queue, JobReason reason, const std::string& store, std::optional<Policy> known,
                     const Policy& otherwise, const std::string& variant) {
    Job job;
    job.reason = reason;
    job.enqueued_ms = unix_ms();
    job.store = store;
    job.policy_of_nginx = known.has_value();
    job.policy = known.value_or(otherwise);
    job.variant = variant;
    return queue.enqueue(key_of(variant).text(), encode_job(job), delay_of(reason), job.urgent());
}

}  // namespace larder::daemon
