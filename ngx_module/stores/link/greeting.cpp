#include "ngx_module/stores/link/greeting.hpp"

#include <initializer_list>
#include <string_view>

#include "cache/wire/memcached_wire.hpp"
#include "cache/wire/redis_wire.hpp"
#include "cache/wire/store_names.hpp"

namespace larder::ngx {

namespace {

// The probe is a write that changes nothing: a replica, or a server that is not ready, refuses it.
Greeting greeting_of_redis(const Endpoint& endpoint, const std::string& absent) {
    Greeting greeting;
    auto log_in = [&greeting](std::initializer_list<std::string_view> words) {
        redis_command(greeting.login, words);
        greeting.logins++;
    };
    if (!endpoint.user.empty())
        log_in({"AUTH", endpoint.user, endpoint.password});
    else if (!endpoint.password.empty())
        log_in({"AUTH", endpoint.password});
    if (endpoint.database != 0) log_in({"SELECT", std::to_string(endpoint.database)});
    redis_command(greeting.probe, {"DEL", absent});
    return greeting;
}

}  // namespace

Greeting greeting_for(const Endpoint& endpoint) {
    const std::string absent = StoreNames(endpoint.prefix).absent();
    Greeting greeting;
    switch (endpoint.kind) {
        case StoreKind::redis:
            greeting = greeting_of_redis(endpoint, absent);
            break;
        case StoreKind::memcached:
            memcached_get(greeting.probe, absent);
            break;
        case StoreKind::larderd:
            redis_command(greeting.probe, {"PING"});
            break;
    }
    greeting.keep_alive = greeting.probe;
    return greeting;
}

Greeting subscribers_greeting(const Endpoint& endpoint) {
    Greeting greeting = greeting_for(endpoint);
    greeting.keep_alive.clear();
    redis_command(greeting.keep_alive, {"PING"});
    return greeting;
}

}  // namespace larder::ngx
