// A memcached client for several threads, over libmemcached: pooled handles, time limits, ketama distribution.
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

// All methods throw MemcachedError when the server cannot be reached or refuses, and TooLarge (stores/store.hpp) for a value
// above the server's item size.
class MemcachedClient {
public:
    struct Item {
        std::string value;
        std::uint64_t cas = 0;  // of this version, for replace()
    };

    MemcachedClient(const std::vector<HostPort>& servers, std::chrono::milliseconds timeout);

    std::optional<Item> get(const std::string& key);
    // `lifetime` 0: for ever.
    void set(const std::string& key, std::string_view value, std::chrono::milliseconds lifetime);
    // False: there is one already.
    bool add(const std::string& key, std::string_view value, std::chrono::milliseconds lifetime);
    // False: it was changed, or is gone, since `cas` was read.
    bool replace(const std::string& key, std::string_view value, std::chrono::milliseconds lifetime,
                 std::uint64_t cas);
    void remove(const std::string& key);
    // False: there is none.
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

    const Handle model_;  // cloned for each thread that asks at the same time
    std::mutex mutex_;    // guards idle_, and model_ while it is cloned
    std::vector<Handle> idle_;
};

}  // namespace larder::daemon
