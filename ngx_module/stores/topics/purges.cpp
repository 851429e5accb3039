// The commands that purge. In Redis, a script assigns the sequence; in memcached, the position of the line in the log
// determines it.
#include "ngx_module/stores/topics/purges.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "cache/wire/memcached_wire.hpp"
#include "cache/wire/purge_line.hpp"
#include "cache/wire/redis_commands.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/stores/nodes/registry.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

using PurgeHandler = std::function<void(std::optional<std::uint64_t>)>;

std::optional<std::uint64_t> parse_sequence(std::string_view text) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0) return std::nullopt;
    return value;
}

void purge_redis(const StoreConf& store, const PurgeRequest& purge, PurgeHandler handler) {
    Node* node = place_of(store, &StoreNames::purge, "log").node;
    if (node == nullptr) return handler(std::nullopt);
    RedisBatch batch;
    redis_purge(batch, node->names(), purge.hashes, purge.mode, purge.position, purge.regenerate);
    node->send(std::move(batch), [handler = std::move(handler)](const Reply* reply) {
        bool good = reply != nullptr && reply->kind == Reply::Kind::bytes;
        handler(good ? parse_sequence(reply->text) : std::nullopt);
    });
}

// A purge that is being given to memcached. It counts once its lines are in the log. Between our commands, another
// machine may replace the log by a floor, or memcached may evict it.
struct MemcachedPurge {
    const StoreConf& store;
    PurgeRequest purge;
    PurgeHandler handler;
    unsigned attempts_left = 3;
};

// The sequence of the last line in `log` that purges one of `hashes` with a number of at least `drawn`. nullopt:
// there is none.
std::optional<std::uint64_t> sequence_in(std::string_view log, const std::vector<std::uint64_t>& hashes, std::uint64_t drawn) {
    std::optional<std::uint64_t> found;
    std::uint64_t last = 0;
    each_purge_line(log, last, [&](const PurgeLine& line, std::uint64_t sequence) {
        if (line.hash && line.drawn >= drawn && std::find(hashes.begin(), hashes.end(), *line.hash) != hashes.end())
            found = sequence;
    });
    return found;
}

// `add` fails if the log exists, and `append` if it does not, so one of them writes the beginning. Then read the log,
// as only it tells the sequence that the purge got: it may begin with a floor, or have lines of a clock that is
// ahead, which this machine has not read.
void append_purge(std::shared_ptr<MemcachedPurge> making) {
    const StoreConf& store = making->store;
    auto [log, node] = place_of(store, &StoreNames::purge_log);
    if (node == nullptr) return making->handler(std::nullopt);
    const std::uint64_t first = std::max(zone().last_purge(store.domain) + 1, static_cast<std::uint64_t>(now_ms()) * 1000);
    std::string lines, command;
    std::uint64_t sequence = first;
    for (std::uint64_t hash : making->purge.hashes)
        lines += purge_line_text(sequence++, hash_text(hash), making->purge.mode == PurgeMode::hard);
    memcached_store(command, "add", log, 0, purge_log_floor(store.domain));
    memcached_store(command, "append", log, 0, lines);
    memcached_get(command, log);
    making->attempts_left--;
    node->send(command, 3, [making, first](const Reply* reply) {
        if (reply == nullptr) return making->handler(std::nullopt);
        auto made = reply->kind == Reply::Kind::bytes ? sequence_in(reply->text, making->purge.hashes, first) : std::nullopt;
        if (!made && making->attempts_left > 0) return append_purge(making);
        making->handler(made);
    });
}

void purge_memcached(const StoreConf& store, const PurgeRequest& purge, PurgeHandler handler) {
    append_purge(std::make_shared<MemcachedPurge>(store, purge, std::move(handler)));
}

}  // namespace

std::uint64_t fence_now(const StoreConf* store) {
    return zone().last_purge(store != nullptr ? store->domain : 0);
}

void purge_store(const StoreConf& store, const PurgeRequest& purge, PurgeHandler handler) {
    auto make = store.endpoint.kind == StoreKind::memcached ? purge_memcached : purge_redis;
    make(store, purge, std::move(handler));
}

std::string purge_log_floor(unsigned domain) {
    std::uint64_t now_us = static_cast<std::uint64_t>(now_ms()) * 1000;
    return purge_line_text(std::max(zone().last_purge(domain), now_us) + 1'000'000, "floor", false);
}

}  // namespace larder::ngx
