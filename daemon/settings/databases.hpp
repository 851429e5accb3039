// Converts the [[database]] sections into the replica chooser's settings.
#pragma once

#include "daemon/replicas/settings.hpp"
#include "settings.hpp"

namespace larder::daemon {

std::vector<replicas::DatabaseSettings> replica_settings(const Settings& settings);

}  // namespace larder::daemon
