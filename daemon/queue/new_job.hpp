// Jobs that the daemon makes by itself: for pages nobody has asked for just now.
#pragma once

#include <string>

#include "cache/job.hpp"
#include "cache/request/variant.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/settings/address.hpp"
#include "daemon/settings/settings.hpp"

namespace larder::daemon {

// The variant of a request that has no cookie and no header that a key would hold: what a first-time visitor gets. Encoded;
// empty when the URL is too long for a variant.
std::string plain_variant(const PageAddress& page);

// What the answer is stored by when no location of nginx has said so.
template <typename Section>
Policy policy_from(const Section& section) {
    auto seconds = [](Duration time) { return static_cast<std::uint32_t>(time.count() / 1000); };
    Policy policy;
    policy.valid = {{0, seconds(section.valid)}};
    policy.while_s = seconds(section.stale_while);
    policy.error_s = seconds(section.stale_error);
    policy.esi = section.esi == "on"     ? EsiMode::on
                 : section.esi == "auto" ? EsiMode::automatic
                                         : EsiMode::off;
    return policy;
}

// Enqueues now, in the place that the reason deserves. `known`: the policy by which nginx stored the page, if it did; `otherwise`:
// that of our settings.
Enqueued enqueue_new(Queue& queue, JobReason reason, const std::string& store, std::optional<Policy> known,
                     const Policy& otherwise, const std::string& variant);

}  // namespace larder::daemon
