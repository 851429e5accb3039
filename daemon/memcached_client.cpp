// Wraps libmemcached, and maps its return codes to results and exceptions.
#include "memcached_client.hpp"

#include "daemon/stores/store.hpp"

#include <ctime>

namespace larder::daemon {

namespace {

// memcached takes an expiry time of more than 30 days for a Unix time.
time_t expiry(std::chrono::milliseconds lifetime) {
    constexpr std::int64_t longest_relative = 30 * 86'400;
    if (lifetime.count() == 0) return 0;
    std::int64_t seconds = (lifetime.count() + 999) / 1000;
    return seconds > longest_relative ? std::time(nullptr) + seconds : seconds;
}

void behave(memcached_st* handle, std::chrono::milliseconds timeout) {
    auto ms = static_cast<std::uint64_t>(timeout.count());
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_KETAMA, 1);
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, ms);
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, ms);
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_SND_TIMEOUT, ms * 1000);
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_RCV_TIMEOUT, ms * 1000);
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_RETRY_TIMEOUT,
                           1);  // seconds before a failed server is tried again
}

}  // namespace

MemcachedClient::MemcachedClient(const std::vector<HostPort>& servers, std::chrono::milliseconds timeout)
    : model_(memcached_create(nullptr)) {
    if (!model_) throw MemcachedError("libmemcached is out of memory");
    behave(model_.get(), timeout);
    for (const HostPort& server : servers)
        memcached_server_add(model_.get(), server.host.c_str(), server.port);
}

MemcachedClient::Handle MemcachedClient::take() {
    std::lock_guard lock(mutex_);
    if (idle_.empty()) {
        Handle handle(memcached_clone(nullptr, model_.get()));
        if (!handle) throw MemcachedError("libmemcached is out of memory");
        return handle;
    }
    Handle handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
}

void MemcachedClient::give_back(Handle handle) {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(handle));
}

// Calls f(handle) and returns its result if the server has answered; throws for every other result. A handle that has seen an
// error is not used again.
template <typename F>
memcached_return_t MemcachedClient::run(const std::string& key, F&& f) {
    Handle handle = take();
    memcached_return_t result = f(handle.get());
    switch (result) {
        case MEMCACHED_SUCCESS:
        case MEMCACHED_STORED:
        case MEMCACHED_NOTFOUND:
        case MEMCACHED_NOTSTORED:
        case MEMCACHED_DATA_EXISTS:
        case MEMCACHED_END:
            give_back(std::move(handle));
            return result;
        case MEMCACHED_E2BIG:
            give_back(std::move(handle));
            throw TooLarge("memcached, " + key + ": larger than an item may be (memcached -I)");
        default: {
            std::string why = memcached_last_error_message(handle.get());
            if (why.empty()) why = memcached_strerror(handle.get(), result);
            throw MemcachedError("memcached, " + key + ": " + why);
        }
    }
}

std::optional<MemcachedClient::Item> MemcachedClient::get(const std::string& key) {
    std::optional<Item> item;
    run(key, [&](memcached_st* handle) {
        const char* keys[] = {key.data()};
        std::size_t sizes[] = {key.size()};
        memcached_return_t result = memcached_mget(handle, keys, sizes, 1);
        if (memcached_failed(result)) return result;
        memcached_result_st found;
        memcached_result_create(handle, &found);
        while (memcached_fetch_result(handle, &found, &result) != nullptr) {
            item = Item{{memcached_result_value(&found), memcached_result_length(&found)},
                        memcached_result_cas(&found)};
        }
        memcached_result_free(&found);
        return result;
    });
    return item;
}

void MemcachedClient::set(const std::string& key, std::string_view value,
                          std::chrono::milliseconds lifetime) {
    run(key, [&](memcached_st* handle) {
        return memcached_set(handle, key.data(), key.size(), value.data(), value.size(), expiry(lifetime), 0);
    });
}

bool MemcachedClient::add(const std::string& key, std::string_view value,
                          std::chrono::milliseconds lifetime) {
    return MEMCACHED_SUCCESS == run(key, [&](memcached_st* handle) {
               return memcached_add(handle, key.data(), key.size(), value.data(), value.size(),
                                    expiry(lifetime), 0);
           });
}

bool MemcachedClient::replace(const std::string& key, std::string_view value,
                              std::chrono::milliseconds lifetime, std::uint64_t cas) {
    return MEMCACHED_SUCCESS == run(key, [&](memcached_st* handle) {
               return memcached_cas(handle, key.data(), key.size(), value.data(), value.size(),
                                    expiry(lifetime), 0, cas);
           });
}

void MemcachedClient::remove(const std::string& key) {
    run(key, [&](memcached_st* handle) { return memcached_delete(handle, key.data(), key.size(), 0); });
}

bool MemcachedClient::append(const std::string& key, std::string_view value) {
    return MEMCACHED_SUCCESS == run(key, [&](memcached_st* handle) {
               return memcached_append(handle, key.data(), key.size(), value.data(), value.size(), 0, 0);
           });
}

}  // namespace larder::daemon
