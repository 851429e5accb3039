#include "cache/wire/redis_commands.hpp"

#include <string>

#include "cache/wire/redis_scripts.hpp"

namespace larder {

void redis_index(RedisBatch& batch, const StoreNames& names, std::string_view key, std::span<const std::uint64_t> hashes,
                 std::string_view policy, std::int64_t ttl_ms) {
    static const RedisScript script(redis_scripts::index_entry);
    const std::string ttl = std::to_string(ttl_ms);
    for (std::uint64_t hash : hashes) batch.script(script, 1, 2).words({names.tag(hash), key, ttl});
    batch.command({"SET", names.policy(key), policy, "PX", ttl});
}

void redis_put(RedisBatch& batch, std::string_view entry_name, std::string_view entry, std::string_view rest,
               std::int64_t ttl_ms) {
    static const RedisScript script(redis_scripts::put_entry);
    batch.script(script, 1, 2).word(entry_name).word(entry, rest).word(std::to_string(ttl_ms));
}

void redis_purge(RedisBatch& batch, const StoreNames& names, std::span<const std::uint64_t> hashes, PurgeMode mode,
                 std::string_view position, bool regenerate) {
    static const RedisScript script(redis_scripts::purge);
    RedisWriter writer = batch.script(script, 4, 3 + hashes.size());
    for (std::string_view part : {"sequence", "log", "pending", "positions"}) writer.word(names.purge(part));
    writer.words({position, regenerate ? "1" : "0", mode == PurgeMode::hard ? "h" : "s"});
    for (std::uint64_t hash : hashes) writer.word(hash_text(hash));
}

void redis_enqueue(RedisBatch& batch, const StoreNames& names, std::string_view key, std::string_view job,
                   std::int64_t delay_ms, bool urgent) {
    static const RedisScript script(redis_scripts::enqueue);
    RedisWriter writer = batch.script(script, 6, 4);
    for (std::string_view part : {"due", "running", "dirty", "jobs", "alive", "asked"}) writer.word(names.queue(part));
    writer.words({key, std::to_string(delay_ms), job, urgent ? "1" : "0"});
}

}  // namespace larder
