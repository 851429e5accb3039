// Implements Store by Redis commands and scripts.
#include "redis_store.hpp"

#include <spdlog/spdlog.h>

#include <charconv>
#include <cstdlib>
#include <random>

#include "cache/bytes.hpp"
#include "cache/request/key.hpp"
#include "cache/wire/store_identity.hpp"
#include "cache/wire/redis_commands.hpp"
#include "daemon/clock.hpp"

namespace larder::daemon {

namespace {

constexpr char walker_lease_ms[] = "5000";
constexpr std::int64_t notable_difference_ms = 2000;

std::uint64_t to_number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// KEYS: log. ARGV: fence, TAGHASH... Returns the sequence of the newest purge after the fence that names one of them, or
// "0"; "h" if any of these purges is hard, else "s"; Redis's time in ms.
constexpr char purges_since_script[] = R"lua(
local t = redis.call('TIME')
local fence = tonumber(ARGV[1])
local newest, mode = '0', 's'
local function see(score, m)
  if not score or tonumber(score) <= fence then return end
  if tonumber(score) > tonumber(newest) then newest = score end
  if m == 'h' then mode = 'h' end
end
see(redis.call('ZSCORE', KEYS[1], 'floor'), 's')
for i = 2, #ARGV do
  see(redis.call('ZSCORE', KEYS[1], ARGV[i] .. ':s'), 's')
  see(redis.call('ZSCORE', KEYS[1], ARGV[i] .. ':h'), 'h')
end
return {newest, mode, t[1] * 1000 + math.floor(t[2] / 1000)}
)lua";

// KEYS: walker. ARGV: daemon's name, lease in ms. Takes or extends the lease. Returns 1 if this daemon has it now, else 0.
constexpr char take_lease[] = R"lua(
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
)lua";

// KEYS: positions. ARGV: database, old position, new position.
constexpr char replace[] = R"lua(
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
)lua";

}  // namespace

RedisStore::RedisStore(std::shared_ptr<RedisClient> redis, const std::string& prefix)
    : redis_(std::move(redis)),
      names_(prefix),
      sequence_(names_.purge("sequence")),
      log_(names_.purge("log")),
      pending_(names_.purge("pending")),
      walker_(names_.purge("walker")),
      positions_(names_.purge("positions")),
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

// A purge's sequence is its time by Redis's clock. at_ms is converted to this machine's clock, which verdicts use.
PurgeSeen RedisStore::purges_since(std::uint64_t fence, const std::vector<std::uint64_t>& hashes) {
    static const RedisScript script(purges_since_script);
    std::vector<std::string> texts{std::to_string(fence)};
    for (std::uint64_t hash : hashes) texts.push_back(hash_text(hash));
    std::vector<std::string_view> arguments(texts.begin(), texts.end());
    RedisReply reply = redis_->eval(script, {log_}, RedisClient::Arguments(arguments));
    PurgeSeen seen;
    if (reply.size() != 3) return seen;
    const std::int64_t ahead_ms = reply.integer(2) - unix_ms();
    note_clock(ahead_ms);
    seen.sequence = to_number(reply.text(0));
    if (seen.sequence == 0) return seen;
    seen.mode = reply.text(1) == "h" ? PurgeMode::hard : PurgeMode::soft;
    seen.at_ms = static_cast<std::int64_t>(seen.sequence / 1000) - ahead_ms;
    return seen;
}

void RedisStore::note_clock(std::int64_t ahead_ms) {
    bool differs = std::abs(ahead_ms) >= notable_difference_ms;
    if (differs_.exchange(differs) == differs) return;
    if (differs)
        spdlog::warn("the clock of {} is {} ms {} this machine's: keep clocks in step", redis_->name(),
                     std::abs(ahead_ms), ahead_ms > 0 ? "ahead of" : "behind");
    else
        spdlog::info("the clock of {} is in step with this machine's", redis_->name());
}

std::vector<LoggedPurge> RedisStore::logged_after(std::uint64_t sequence) {
    RedisReply log =
        redis_->command({"ZRANGEBYSCORE", log_, "(" + std::to_string(sequence), "+inf", "WITHSCORES"});
    std::vector<LoggedPurge> purges;
    for (std::size_t i = 0; i + 1 < log.size(); i += 2) {
        std::string_view member = log.text(i);
        bool hard = member.ends_with(":h"), soft = member.ends_with(":s");
        auto hash = hard || soft ? hash_from_text(member.substr(0, member.size() - 2)) : std::nullopt;
        if (hash) purges.push_back({to_number(log.text(i + 1)), *hash, hard ? PurgeMode::hard : PurgeMode::soft});
    }
    return purges;
}

std::optional<std::string> RedisStore::get(std::string_view key) {
    RedisReply reply = redis_->command({"GET", names_.entry(key)});
    return reply.is_nil() ? std::nullopt : std::optional(std::string(reply.text()));
}

std::optional<std::string> RedisStore::get_start(std::string_view key, std::size_t size) {
    RedisReply reply =
        redis_->command({"GETRANGE", names_.entry(key), "0", std::to_string(size - 1)});
    return reply.text().empty() ? std::nullopt : std::optional(std::string(reply.text()));
}

bool RedisStore::put(std::string_view key, std::string_view entry, std::chrono::milliseconds lifetime) {
    RedisBatch batch;
    redis_put(batch, names_.entry(key), entry, {}, lifetime.count());
    return redis_->run(batch).integer() == 1;
}

void RedisStore::remove(std::string_view key) {
    redis_->command({"DEL", names_.entry(key)});
    redis_->command({"DEL", names_.policy(key)});
}

void RedisStore::index(std::string_view key, const std::vector<std::uint64_t>& hashes,
                       std::string_view policy, std::chrono::milliseconds lifetime) {
    RedisBatch batch;
    redis_index(batch, names_, key, hashes, policy, lifetime.count());
    redis_->run(batch);
}

void RedisStore::forget(std::string_view key, std::uint64_t hash) {
    redis_->command({"SREM", names_.tag(hash), key});
}

KeyPage RedisStore::keys_under(std::uint64_t hash, const std::string& from) {
    RedisReply reply = redis_->command(
        {"SSCAN", names_.tag(hash), from.empty() ? "0" : from, "COUNT", "200"});
    KeyPage page;
    if (reply.size() != 2) return page;
    for (std::string_view key : reply.texts(1)) page.keys.emplace_back(key);
    if (reply.text(0) != "0") page.next = reply.text(0);
    return page;
}

std::optional<Policy> RedisStore::policy(std::string_view key) {
    RedisReply reply = redis_->command({"GET", names_.policy(key)});
    ByteReader in(reply.text());
    return read_policy(in);
}

std::uint64_t RedisStore::identity() {
    std::string name = names_.identity();
    redis_->command({"SET", name, new_store_identity(), "NX"});
    return hash_from_text(redis_->command({"GET", name}).text()).value_or(0);
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

void RedisStore::tell_kept(std::uint64_t sequence) {
    redis_->command({"SET", names_.purge("kept"), std::to_string(sequence), "PX", "5000"});
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
    RedisBatch batch;
    redis_purge(batch, names_, hashes, mode, position, true);
    return to_number(redis_->run(batch).text());
}

bool RedisStore::is_walker() {
    static const RedisScript script(take_lease);
    return redis_->eval(script, {walker_}, {self_, walker_lease_ms}).integer() == 1;
}

std::vector<Purge> RedisStore::pending(std::size_t most) {
    std::vector<Purge> purges;
    RedisReply first = redis_->command({"LRANGE", pending_, "0", std::to_string(most - 1)});
    if (first.size() == 0 || !is_walker()) return purges;
    for (std::size_t i = 0; i < first.size(); i++) {
        std::string_view text = first.text(i);
        std::size_t space = text.find(' ');
        auto hash =
            space == std::string_view::npos ? std::nullopt : hash_from_text(text.substr(space + 1, 16));
        std::size_t rest = space + 17;
        if (hash && text.size() >= rest) {
            purges.push_back(
                {to_number(text), *hash, std::string(text.size() > rest ? text.substr(rest + 1) : "")});
        } else {
            redis_->command({"LREM", pending_, "1", text});  // malformed
        }
    }
    return purges;
}

void RedisStore::settle(const Purge& purge) {
    redis_->command({"LREM", pending_, "1",
                     std::to_string(purge.sequence) + " " + hash_text(purge.hash) + " " + purge.position});
}

}  // namespace larder::daemon
