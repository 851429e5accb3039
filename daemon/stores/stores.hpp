// The configured stores by name.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>

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
    // Whether the store that calls itself so is this one. An identity that it had before counts, too: one goes when the store is
    // emptied, and nginx may not know yet. 0 may be any. Throws when the store can't be asked.
    bool is(Store& store, std::uint64_t identity) const;
    const std::string& first_name() const { return first_; }
    const ByName& all() const { return stores_; }

private:
    std::string first_;
    ByName stores_;
    mutable std::mutex mutex_;
    mutable std::map<const Store*, std::set<std::uint64_t>> identities_;  // that were found in it
};

}  // namespace larder::daemon
