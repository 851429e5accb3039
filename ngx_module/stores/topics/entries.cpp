// The commands for entries. In Redis an entry is indexed by its tags, so that a purge finds it, and its policy is
// stored beside it. memcached has no sets, and accepts no large items.
#include "ngx_module/stores/topics/entries.hpp"

#include <utility>
#include <vector>

#include "cache/bytes.hpp"
#include "cache/entry.hpp"
#include "cache/wire/memcached_wire.hpp"
#include "cache/wire/redis_commands.hpp"
#include "ngx_module/stores/nodes/registry.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

struct Put {
    std::string_view key, name;  // Key::text(), and the entry's name in the store
    std::string_view prefix, body;
    std::int64_t ttl_ms;
    const Policy& policy;
};

// The commands of one protocol.
struct Commands {
    void (*get)(Node& node, std::string_view name, ReplyHandler handler);
    bool (*put)(Node& node, const Put& put, ReplyHandler handler);  // false: nothing was sent
    void (*forget)(Node& node, std::string_view name, ReplyHandler handler);
};

void get_from_redis(Node& node, std::string_view name, ReplyHandler handler) {
    std::string command;
    redis_command(command, {"GET", name});
    node.send(command, 1, std::move(handler));
}

bool put_in_redis(Node& node, const Put& put, ReplyHandler handler) {
    std::vector<std::uint64_t> hashes;
    each_purge_hash(EntryView::trusted(put.prefix), [&hashes](std::uint64_t hash) { hashes.push_back(hash); });
    std::string policy;
    ByteWriter out(policy);
    write_policy(out, put.policy);
    RedisBatch batch;
    redis_index(batch, node.names(), put.key, hashes, policy, put.ttl_ms);
    redis_put(batch, put.name, put.prefix, put.body, put.ttl_ms);
    node.send(std::move(batch), std::move(handler));
    return true;
}

void forget_in_redis(Node& node, std::string_view name, ReplyHandler handler) {
    std::string command;
    redis_command(command, {"DEL", name});
    node.send(command, 1, std::move(handler));
}

void get_from_memcached(Node& node, std::string_view name, ReplyHandler handler) {
    std::string command;
    memcached_get(command, name);
    node.send(command, 1, std::move(handler));
}

bool put_in_memcached(Node& node, const Put& put, ReplyHandler handler) {
    constexpr std::size_t max_item = 1u << 20;  // memcached's default; larger entries stay in the near cache
    if (put.prefix.size() + put.body.size() > max_item - 1024) return false;
    std::string command;
    memcached_store(command, "set", put.name, memcached_expiry(put.ttl_ms, now_ms()), put.prefix, put.body);
    node.send(command, 1, std::move(handler));
    return true;
}

void forget_in_memcached(Node& node, std::string_view name, ReplyHandler handler) {
    std::string command;
    memcached_delete(command, name);
    node.send(command, 1, std::move(handler));
}

constexpr Commands of_redis{get_from_redis, put_in_redis, forget_in_redis};
constexpr Commands of_memcached{get_from_memcached, put_in_memcached, forget_in_memcached};

const Commands& commands_of(const Node& node) {
    return node.kind() == StoreKind::memcached ? of_memcached : of_redis;
}

}  // namespace

bool get_entry(const StoreConf& store, const Key& key, std::function<void(StoreAnswer)> handler) {
    auto [name, node] = place_of(store, &StoreNames::entry, key.text());
    if (node == nullptr) return false;
    commands_of(*node).get(*node, name, [handler = std::move(handler)](const Reply* reply) {
        if (reply == nullptr || reply->kind == Reply::Kind::error) return handler({true, {}});
        handler({false, reply->kind == Reply::Kind::bytes ? reply->text : std::string_view{}});
    });
    return true;
}

bool put_entry(const StoreConf& store, const Key& key, std::string_view prefix, std::string_view body,
               const Policy& policy, std::function<void(bool)> handler) {
    const std::string key_text = key.text();
    auto [name, node] = place_of(store, &StoreNames::entry, key_text);
    if (node == nullptr) return false;
    std::int64_t ttl_ms = EntryView::trusted(prefix).head().life.dead_at_ms() - now_ms();
    if (ttl_ms <= 0) return false;
    auto answered = [handler = std::move(handler)](const Reply* reply) {
        handler(reply != nullptr && reply->kind != Reply::Kind::error);
    };
    return commands_of(*node).put(*node, {key_text, name, prefix, body, ttl_ms, policy}, std::move(answered));
}

void forget_entry(const StoreConf& store, const Key& key) {
    auto [name, node] = place_of(store, &StoreNames::entry, key.text());
    if (node != nullptr) commands_of(*node).forget(*node, name, ignore_reply);
}

}  // namespace larder::ngx
