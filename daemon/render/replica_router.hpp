// Asks the replica chooser which database server a render is to read from, and signs the choice for the site.
#pragma once

#include "daemon/live_settings.hpp"
#include "daemon/render/route.hpp"
#include "daemon/replicas/chooser.hpp"

namespace larder::daemon {

// Both must outlive the router.
Router replica_router(replicas::Chooser& chooser, const LiveSettings& settings);

}  // namespace larder::daemon
