// The settings in force: an immutable snapshot, which SIGHUP replaces as a whole.
#pragma once

#include <memory>
#include <mutex>

#include "daemon/settings/settings.hpp"

namespace larder::daemon {

class LiveSettings {
public:
    explicit LiveSettings(Settings settings)
        : current_(std::make_shared<const Settings>(std::move(settings))) {}

    // Call it once for each piece of work, so that the whole of it runs with one configuration.
    std::shared_ptr<const Settings> get() const {
        std::lock_guard lock(mutex_);
        return current_;
    }
    void set(Settings settings) {
        auto next = std::make_shared<const Settings>(std::move(settings));
        std::lock_guard lock(mutex_);
        current_ = std::move(next);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Settings> current_;
};

}  // namespace larder::daemon
