// A thread-safe memcached client over libmemcached: pooled handles, timeouts, ketama distribution.
#pragma once

#include <libmemcached/memcached.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/settings/address.hpp"

namespace larder::daemon {

class MemcachedError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// All methods may be called from any thread and block for at most `timeout` per read or write. They throw MemcachedError
// when the server can't be reached or answers with an error, and TooLarge (stores/store.hpp) for a value above the
// server's item size.
class MemcachedClient {
public:
    struct Item {
        std::string value;
        std::uint64_t cas = 0;  // identifies this version of the value, for replace()
    };

    MemcachedClient(const std::vector<HostPort>& servers, std::chrono::milliseconds timeout);

    std::optional<Item> get(const std::string& key);
    // A `lifetime` of 0 means that the value doesn't expire; others are rounded up to whole seconds.
    void set(const std::string& key, std::string_view value, std::chrono::milliseconds lifetime);
    // Returns false when the key exists.
    bool add(const std::string& key, std::string_view value, std::chrono::milliseconds lifetime);
    // Compare and swap. Returns false when the value was changed or removed since get() returned `cas`.
    bool replace(const std::string& key, std::string_view value, std::chrono::milliseconds lifetime,
                 std::uint64_t cas);
    void remove(const std::string& key);
    // Returns false when the key doesn't exist.
    bool append(const std::string& key, std::string_view value);

private:
    struct Free {
        void operator()(memcached_st* handle) const { memcached_free(handle); }
    };
    using Handle = std::unique_ptr<memcached_st, Free>;

    Handle take();
    void give_back(Handle handle);
    template <typename F>
    memcached_return_t run(const std::string& key, F&& f);

    const Handle model_;  // cloned when all idle handles are in use
    std::mutex mutex_;    // guards idle_, and model_ while it is cloned
    std::vector<Handle> idle_;
};

}  // namespace larder::daemon
