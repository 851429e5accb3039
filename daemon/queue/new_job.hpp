// Jobs that larderd makes itself (refresh, warm, prerender), rather than nginx for a visitor.
#pragma once

#include <string>

#include "cache/job.hpp"
#include "cache/request/variant.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/settings/address.hpp"
#include "daemon/settings/settings.hpp"

namespace larder::daemon {

// The encoded variant of a request without cookies and without headers that keys hold: the page of a first-time visitor.
// Empty when the URL is too long for a variant.
std::string plain_variant(const PageAddress& page);

// The policy of a section of larderd.toml, for pages that nginx has left no policy for.
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

// Enqueues a job, with the priority of its reason (cache/priority.hpp). `known`: the policy with which nginx stored the
// page, if any; `otherwise`: the policy of our settings. `variant`: encoded, not empty.
Enqueued enqueue_new(Queue& queue, JobReason reason, const std::string& store, std::optional<Policy> known,
                     const Policy& otherwise, const std::string& variant);

}  // namespace larder::daemon
