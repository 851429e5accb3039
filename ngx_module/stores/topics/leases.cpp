// The commands for leases. A lease is an item that is only added if absent, and that expires. Its value names its
// holder.
#include "ngx_module/stores/topics/leases.hpp"

#include <openssl/rand.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "cache/wire/memcached_wire.hpp"
#include "cache/wire/redis_scripts.hpp"
#include "cache/wire/redis_wire.hpp"
#include "ngx_module/stores/nodes/registry.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

using LeaseHandler = std::function<void(LeaseAnswer)>;

// The commands of one protocol.
struct Commands {
    void (*claim)(Node& node, std::string_view name, ngx_msec_t ttl_ms, LeaseHandler handler);
    void (*release)(Node& node, std::string_view name);
    void (*pass)(Node& node, std::string_view name, ngx_msec_t for_ms);
};

// The value that stands in place of a lease if the key's answers can't be stored.
constexpr std::string_view pass_text = "pass";

// Distinguishes this worker's leases from all others.
const std::string& own_token() {
    static const std::string token = [] {
        unsigned char random[16];
        if (RAND_bytes(random, sizeof random) != 1) throw std::runtime_error("no random bytes");
        std::uint64_t halves[2];
        std::memcpy(halves, random, sizeof halves);
        return hash_text(halves[0]) + hash_text(halves[1]);
    }();
    return token;
}

void take_claimed(LeaseAnswer& answer, const Reply* reply) {
    answer.ours = reply != nullptr && reply->kind == Reply::Kind::status;
    answer.refused = reply != nullptr && reply->kind == Reply::Kind::nil;
}

void take_held(LeaseAnswer& answer, const Reply* reply) {
    bool passes = reply != nullptr && reply->kind == Reply::Kind::bytes && reply->text == pass_text;
    answer.passes = answer.refused && passes;
    answer.refused = answer.refused && !passes;
}

void redis_claim(Node& node, std::string_view name, ngx_msec_t ttl_ms, LeaseHandler handler) {
    auto answer = std::make_shared<LeaseAnswer>();
    std::string command;
    redis_command(command, {"SET", name, own_token(), "NX", "PX", std::to_string(ttl_ms)});
    node.send(command, 1, [answer](const Reply* reply) { take_claimed(*answer, reply); });
    command.clear();
    redis_command(command, {"GET", name});
    node.send(command, 1, [answer](const Reply* reply) { take_held(*answer, reply); });
    command.clear();
    redis_command(command, {"PTTL", name});
    node.send(command, 1, [answer, handler = std::move(handler)](const Reply* reply) {
        bool known = reply != nullptr && reply->kind == Reply::Kind::integer && reply->integer >= 0;
        answer->again_ms = known ? static_cast<ngx_msec_t>(reply->integer) + 1 : 1;
        handler(*answer);
    });
}

void redis_release(Node& node, std::string_view name) {
    static const RedisScript release(redis_scripts::release_lease);
    RedisBatch batch;
    batch.script(release, 1, 1).words({name, own_token()});
    node.send(std::move(batch), ignore_reply);
}

void redis_pass(Node& node, std::string_view name, ngx_msec_t for_ms) {
    std::string command;
    redis_command(command, {"SET", name, pass_text, "PX", std::to_string(for_ms)});
    node.send(command, 1, ignore_reply);
}

std::int64_t expiry(ngx_msec_t ttl_ms) {
    return memcached_expiry(static_cast<std::int64_t>(ttl_ms), now_ms());
}

void memcached_claim(Node& node, std::string_view name, ngx_msec_t ttl_ms, LeaseHandler handler) {
    // memcached sends no notifications, and does not tell how long an item lasts.
    constexpr ngx_msec_t poll_ms = 5, pass_ms = 10'000;
    auto answer = std::make_shared<LeaseAnswer>();
    std::string command;
    memcached_store(command, "add", name, expiry(ttl_ms), own_token());
    node.send(command, 1, [answer](const Reply* reply) { take_claimed(*answer, reply); });
    command.clear();
    memcached_get(command, name);
    node.send(command, 1, [answer, handler = std::move(handler)](const Reply* reply) {
        take_held(*answer, reply);
        answer->again_ms = answer->passes ? pass_ms : poll_ms;
        handler(*answer);
    });
}

void memcached_release(Node& node, std::string_view name) {
    std::string command;
    memcached_delete(command, name);
    node.send(command, 1, ignore_reply);
}

void memcached_pass(Node& node, std::string_view name, ngx_msec_t for_ms) {
    std::string command;
    memcached_store(command, "set", name, expiry(for_ms), pass_text);
    node.send(command, 1, ignore_reply);
}

constexpr Commands of_redis{redis_claim, redis_release, redis_pass};
constexpr Commands of_memcached{memcached_claim, memcached_release, memcached_pass};

const Commands& commands_of(const Node& node) {
    return node.kind() == StoreKind::memcached ? of_memcached : of_redis;
}

}  // namespace

bool claim_lease(const StoreConf& store, const Key& key, ngx_msec_t ttl_ms, LeaseHandler handler) {
    auto [name, node] = place_of(store, &StoreNames::lease, key.text());
    if (node != nullptr) commands_of(*node).claim(*node, name, ttl_ms, std::move(handler));
    return node != nullptr;
}

void release_lease(const StoreConf& store, const Key& key) {
    auto [name, node] = place_of(store, &StoreNames::lease, key.text());
    if (node != nullptr) commands_of(*node).release(*node, name);
}

void pass_lease(const StoreConf& store, const Key& key, ngx_msec_t for_ms) {
    auto [name, node] = place_of(store, &StoreNames::lease, key.text());
    if (node != nullptr) commands_of(*node).pass(*node, name, for_ms);
}

}  // namespace larder::ngx
