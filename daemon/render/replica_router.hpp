// Asks the replica chooser where a render shall read, and signs the answer for the site.
#pragma once

#include "daemon/live_settings.hpp"
#include "daemon/render/route.hpp"
#include "daemon/replicas/chooser.hpp"

namespace larder::daemon {

// Both must outlive the router.
Router replica_router(replicas::Chooser& chooser, const LiveSettings& settings);

}  // namespace larder::daemon
