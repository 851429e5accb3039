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

    // Doesn't connect yet. Precondition: `settings` were checked, so there is at least one store.
    explicit Stores(const std::vector<StoreSettings>& settings);
    // For tests. `stores` has one named `first`.
    Stores(std::string first, ByName stores) : first_(std::move(first)), stores_(std::move(stores)) {}

    // The store of that name, or the first one for an empty name. nullptr: there is none.
    Store* find(std::string_view name) const;
    // Whether `store` has this identity, or had it earlier: an emptied store gets another one, and nginx may not know it
    // yet. Also true for 0 (unknown). Throws if the store can't be reached.
    bool is(Store& store, std::uint64_t identity) const;
    const std::string& first_name() const { return first_; }
    const ByName& all() const { return stores_; }

private:
    std::string first_;
    ByName stores_;
    mutable std::mutex mutex_;
    mutable std::map<const Store*, std::set<std::uint64_t>> identities_;  // all that each store has had
};

}  // namespace larder::daemon
