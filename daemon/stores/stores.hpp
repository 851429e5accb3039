// The configured stores by name.
#pragma once

#include <map>
#include <memory>

#include "daemon/settings/settings.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

class Stores {
public:
    // Connects to nothing yet. Precondition: `settings` were checked, so there is at least one store.
    explicit Stores(const std::vector<StoreSettings>& settings);

    // The store of that name, the first one for an empty name; nullptr for an unknown name.
    Store* find(std::string_view name) const;
    const std::string& first_name() const { return first_; }
    const std::map<std::string, std::unique_ptr<Store>, std::less<>>& all() const { return stores_; }

private:
    std::string first_;
    std::map<std::string, std::unique_ptr<Store>, std::less<>> stores_;
};

}  // namespace larder::daemon
