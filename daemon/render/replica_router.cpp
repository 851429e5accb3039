// The header's format: replicas::route_value; its signature: cache/signer.hpp.
#include "replica_router.hpp"

#include <algorithm>

#include "cache/signer.hpp"
#include "daemon/clock.hpp"

namespace larder::daemon {

namespace {

// What a job without a deadline is given to wait for a good replica.
constexpr UnixMs usual_patience_ms = 30'000;

double patience_used(const Job& job, UnixMs now) {
    UnixMs end = job.deadline_ms != 0 ? job.deadline_ms : job.enqueued_ms + usual_patience_ms;
    if (end <= job.enqueued_ms) return 1;
    return std::clamp(static_cast<double>(now - job.enqueued_ms) / static_cast<double>(end - job.enqueued_ms),
                      0.0, 1.0);
}

Route route_for(replicas::Chooser& chooser, const SigningSettings& signing, const Job& job,
                const Variant& variant, std::span<const std::string> positions, UnixMs deadline) {
    UnixMs now = unix_ms();
    replicas::Choice choice = chooser.choose({.urgency = replicas::Class::background,
                                              .positions = positions,
                                              .patience_used = patience_used(job, now)});
    Route route;
    route.reason = choice.reason;
    route.replaced = std::move(choice.replaced);
    route.hold = choice.hold;
    route.retry_after = choice.retry_after;
    if (choice.hold) return route;
    std::vector<std::string> keys{signing.key};
    route.header =
        Signer(keys, route_salt)
            .sign(replicas::route_value(choice.alias, job.position, variant.path, deadline), now / 1000);
    route.token = std::make_shared<replicas::InFlight>(std::move(choice.token));
    return route;
}

}  // namespace

Router replica_router(replicas::Chooser& chooser, const LiveSettings& settings) {
    return [&chooser, &settings](const Job& job, const Variant& variant, std::span<const std::string> positions,
                                 std::int64_t deadline_ms) {
        return route_for(chooser, settings.get()->signing, job, variant, positions, deadline_ms);
    };
}

}  // namespace larder::daemon
