// Creates a client for each store's URL.
#include "stores.hpp"

#include "memcached_store.hpp"
#include "redis_store.hpp"

namespace larder::daemon {

namespace {

std::unique_ptr<Store> make_store(const StoreSettings& settings) {
    if (auto servers = parse_memcached_url(settings.url))
        return std::make_unique<MemcachedStore>(*servers, settings.timeout, settings.prefix);
    return std::make_unique<RedisStore>(
        std::make_shared<RedisClient>(*parse_redis_url(settings.url), settings.timeout), settings.prefix);
}

}  // namespace

Stores::Stores(const std::vector<StoreSettings>& settings) : first_(settings.front().name) {
    for (const StoreSettings& store : settings) stores_.emplace(store.name, make_store(store));
}

Store* Stores::find(std::string_view name) const {
    auto found = stores_.find(name.empty() ? std::string_view(first_) : name);
    return found == stores_.end() ? nullptr : found->second.get();
}

bool Stores::is(Store& store, std::uint64_t identity) const {
    auto is_known = [&] {
        std::lock_guard lock(mutex_);
        return identities_[&store].count(identity) != 0;
    };
    if (identity == 0 || is_known()) return true;
    std::uint64_t found = store.identity();
    if (found == 0) return true;  // could not be written
    {
        std::lock_guard lock(mutex_);
        identities_[&store].insert(found);
    }
    return is_known();
}

}  // namespace larder::daemon
