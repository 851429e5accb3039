// The configured stores by name.
#pragma once

#include <map>
#include <memory>

#include "daemon/settings/settings.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

class Stores {
public:
    using ByName = std::map<std::string, std::unique_ptr<Store>, std::less<>>;

    // Connects to nothing yet. Precondition: `settings` were checked, so there is at least one store.
    explicit Stores(const std::vector<StoreSettings>& settings);
    // Stores made elsewhere; at least one.
    Stores(std::string first, ByName stores) : first_(std::move(first)), stores_(std::move(stores)) {}

    // The store of that name, the first one for an empty name; nullptr for an unknown name.
    Store* find(std::string_view name) const;
    const std::string& first_name() const { return first_; }
    const ByName& all() const { return stores_; }

private:
    std::string first_;
    ByName stores_;
};

}  // namespace larder::daemon
