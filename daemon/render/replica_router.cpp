// replicas::route_value() defines the header's value, cache/signer.hpp its signature.
#include "replica_router.hpp"

#include <algorithm>

#include "cache/signer.hpp"
#include "daemon/clock.hpp"

namespace larder::daemon {

namespace {

// How long a job without a deadline may wait for a replica that is fresh enough.
constexpr UnixMs usual_patience_ms = 30'000;

// The fraction (0 to 1) of its patience that the job has used up.
double patience_used(const Job& job, UnixMs waited, UnixMs now) {
    UnixMs patience = job.deadline_ms != 0 ? waited + job.deadline_ms - now : usual_patience_ms;
    return patience <= 0 ? 1 : std::clamp(static_cast<double>(waited) / static_cast<double>(patience), 0.0, 1.0);
}

Route route_for(replicas::Chooser& chooser, const SigningSettings& signing, const Job& job,
                const Variant& variant, std::span<const std::string> positions, std::chrono::milliseconds waited,
                UnixMs deadline) {
    UnixMs now = unix_ms();
    replicas::Choice choice = chooser.choose({.urgency = replicas::Class::background,
                                              .positions = positions,
                                              .patience_used = patience_used(job, waited.count(), now)});
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
                                 std::chrono::milliseconds waited, std::int64_t deadline_ms) {
        return route_for(chooser, settings.get()->signing, job, variant, positions, waited, deadline_ms);
    };
}

}  // namespace larder::daemon
