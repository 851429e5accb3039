// Redis commands behind the store's contract.
#include "redis_store.hpp"

#include <charconv>
#include <random>

#include "cache/bytes.hpp"
#include "cache/request/key.hpp"
#include "cache/wire/redis_scripts.hpp"

namespace larder::daemon {

namespace {

constexpr char walker_lease_ms[] = "5000";

std::uint64_t to_number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string ms(std::chrono::milliseconds time) {
    return std::to_string(time.count());
}

// "TAGHASH:s", "TAGHASH:h" or "floor" of the purge log. Members of another form are nobody's.
bool names_one_of(std::string_view member, const std::vector<std::uint64_t>& hashes) {
    if (member == "floor") return true;
    auto hash = hash_from_text(member.substr(0, member.find(':')));
    return hash && std::find(hashes.begin(), hashes.end(), *hash) != hashes.end();
}

// KEYS: walker. ARGV: name, ms. Returns 1 when the name holds the lease.
constexpr char take_lease[] = R"lua(
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
)lua";

// KEYS: positions. ARGV: database, position, what to put in its place.
constexpr char replace[] = R"lua(
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
)lua";

}  // namespace

RedisStore::RedisStore(std::shared_ptr<RedisClient> redis, const std::string& prefix)
    : redis_(std::move(redis)),
      prefix_(prefix),
      sequence_(prefix + "{purge}sequence"),
      log_(prefix + "{purge}log"),
      pending_(prefix + "{purge}pending"),
      walker_(prefix + "{purge}walker"),
      positions_(prefix + "{purge}positions"),
      self_(std::to_string(std::random_device()()) + "." + std::to_string(std::random_device()())) {}

std::uint64_t RedisStore::newest_purge() {
    return to_number(redis_->command({"GET", sequence_}).text());
}

std::vector<std::string> RedisStore::newest_positions() {
    RedisReply reply = redis_->command({"HVALS", positions_});
    std::vector<std::string> positions;
    for (std::size_t i = 0; i < reply.size(); i++) positions.emplace_back(reply.text(i));
    return positions;
}

void RedisStore::replace_position(const std::string& position, const std::string& by) {
    static const RedisScript script(replace);
    std::string name = position.substr(0, position.find('/'));
    redis_->eval(script, {positions_}, {name, position, by});
}

PurgeSeen RedisStore::purges_since(std::uint64_t fence, const std::vector<std::uint64_t>& hashes) {
    PurgeSeen seen;
    RedisReply log =
        redis_->command({"ZRANGEBYSCORE", log_, "(" + std::to_string(fence), "+inf", "WITHSCORES"});
    for (std::size_t i = 0; i + 1 < log.size(); i += 2) {
        if (!names_one_of(log.text(i), hashes)) continue;
        seen.sequence = to_number(log.text(i + 1));
        if (seen.mode != PurgeMode::hard)
            seen.mode = log.text(i).ends_with(":h") ? PurgeMode::hard : PurgeMode::soft;
    }
    return seen;
}

std::optional<std::string> RedisStore::get(std::string_view key) {
    RedisReply reply = redis_->command({"GET", prefix_ + "e:" + std::string(key)});
    return reply.is_nil() ? std::nullopt : std::optional(std::string(reply.text()));
}

std::optional<std::string> RedisStore::get_start(std::string_view key, std::size_t size) {
    RedisReply reply =
        redis_->command({"GETRANGE", prefix_ + "e:" + std::string(key), "0", std::to_string(size - 1)});
    return reply.text().empty() ? std::nullopt : std::optional(std::string(reply.text()));
}

bool RedisStore::put(std::string_view key, std::string_view entry, std::chrono::milliseconds lifetime) {
    static const RedisScript script(redis_scripts::put_entry);
    return redis_->eval(script, {prefix_ + "e:" + std::string(key)}, {entry, ms(lifetime)}).integer() == 1;
}

void RedisStore::remove(std::string_view key) {
    redis_->command({"DEL", prefix_ + "e:" + std::string(key)});
    redis_->command({"DEL", prefix_ + "p:" + std::string(key)});
}

void RedisStore::index(std::string_view key, const std::vector<std::uint64_t>& hashes,
                       std::string_view policy, std::chrono::milliseconds lifetime) {
    static const RedisScript script(redis_scripts::index_entry);
    redis_->command({"SET", prefix_ + "p:" + std::string(key), policy, "PX", ms(lifetime)});
    for (std::uint64_t hash : hashes)
        redis_->eval(script, {prefix_ + "t:" + hash_text(hash)}, {key, ms(lifetime)});
}

void RedisStore::forget(std::string_view key, std::uint64_t hash) {
    redis_->command({"SREM", prefix_ + "t:" + hash_text(hash), key});
}

void RedisStore::each_key(std::uint64_t hash, const std::function<void(const std::string&)>& f) {
    std::string name = prefix_ + "t:" + hash_text(hash);
    std::string cursor = "0";
    do {
        RedisReply reply = redis_->command({"SSCAN", name, cursor, "COUNT", "200"});
        if (reply.size() != 2) return;
        for (std::string_view key : reply.texts(1)) f(std::string(key));
        cursor = reply.text(0);
    } while (cursor != "0");
}

std::optional<Policy> RedisStore::policy(std::string_view key) {
    RedisReply reply = redis_->command({"GET", prefix_ + "p:" + std::string(key)});
    ByteReader in(reply.text());
    return read_policy(in);
}

// run_id changes when Redis restarts, master_replid when a replica is promoted or takes another master's data.
std::string RedisStore::incarnation() {
    std::string both;
    for (auto [section, field] : {std::pair{"server", "run_id:"}, {"replication", "master_replid:"}}) {
        RedisReply reply = redis_->command({"INFO", section});
        std::string_view text = reply.text();
        std::size_t at = std::min(text.find(field), text.size());
        both.append(text.substr(at, text.find('\r', at) - at)).push_back(' ');
    }
    return both;
}

std::uint64_t RedisStore::newest_purge_of(std::uint64_t hash, PurgeMode mode) {
    std::uint64_t newest = 0;
    std::vector<std::string> members{hash_text(hash) + ":h"};
    if (mode == PurgeMode::soft) {
        members.push_back(hash_text(hash) + ":s");
        members.emplace_back("floor");
    }
    for (const std::string& member : members)
        newest = std::max(newest, to_number(redis_->command({"ZSCORE", log_, member}).text()));
    return newest;
}

std::uint64_t RedisStore::purge(const std::vector<std::uint64_t>& hashes, PurgeMode mode,
                                std::string_view position) {
    static const RedisScript script(redis_scripts::purge);
    std::vector<std::string> texts;
    for (std::uint64_t hash : hashes) texts.push_back(hash_text(hash));
    std::vector<std::string_view> arguments{position, "1", mode == PurgeMode::hard ? "h" : "s"};
    arguments.insert(arguments.end(), texts.begin(), texts.end());
    return to_number(
        redis_->eval(script, {sequence_, log_, pending_, positions_}, RedisClient::Arguments(arguments)).text());
}

bool RedisStore::is_walker() {
    static const RedisScript script(take_lease);
    return redis_->eval(script, {walker_}, {self_, walker_lease_ms}).integer() == 1;
}

std::optional<Purge> RedisStore::pending() {
    for (;;) {
        RedisReply first = redis_->command({"LINDEX", pending_, "0"});
        if (first.is_nil() || !is_walker()) return std::nullopt;
        std::string_view text = first.text();
        std::size_t space = text.find(' ');
        auto hash =
            space == std::string_view::npos ? std::nullopt : hash_from_text(text.substr(space + 1, 16));
        std::size_t rest = space + 17;
        if (hash && text.size() >= rest) {
            Purge purge{to_number(text), *hash, std::string(text.size() > rest ? text.substr(rest + 1) : "")};
            return purge;
        }
        redis_->command({"LREM", pending_, "1", text});
    }
}

void RedisStore::settle(const Purge& purge) {
    redis_->command({"LREM", pending_, "1",
                     std::to_string(purge.sequence) + " " + hash_text(purge.hash) + " " + purge.position});
}

}  // namespace larder::daemon
