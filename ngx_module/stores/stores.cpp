// Commands to Redis, memcached and larderd. cache/wire/redis_scripts.hpp has the names and the scripts.
#include "ngx_module/stores/stores.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "cache/bytes.hpp"
#include "cache/entry.hpp"
#include "cache/priority.hpp"
#include "cache/wire/memcached_names.hpp"
#include "cache/wire/memcached_wire.hpp"
#include "cache/wire/purge_line.hpp"
#include "cache/wire/redis_scripts.hpp"
#include "cache/wire/redis_wire.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/stores/follower.hpp"
#include "ngx_module/stores/link.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr std::size_t max_memcached_item = 1u
                                           << 20;  // memcached's default; larger ones stay in the near cache

std::vector<std::unique_ptr<Link>> links;  // by domain; [0] is the daemon's
std::vector<std::unique_ptr<Follower>> followers;

// The probe of Redis is a write that changes nothing: a replica, or a server that is not ready, refuses it.
Link::Greeting greeting_for(const Endpoint& endpoint) {
    Link::Greeting greeting;
    std::string absent = endpoint.prefix + "probe";
    if (endpoint.kind == StoreKind::memcached) {
        memcached_get(greeting.probe, absent);
    } else if (endpoint.kind == StoreKind::larderd) {
        redis_command(greeting.probe, {"PING"});
    } else {
        redis_command(greeting.probe, {"DEL", absent});
        auto log_in = [&greeting](std::initializer_list<std::string_view> words) {
            redis_command(greeting.login, words);
            greeting.logins++;
        };
        if (!endpoint.user.empty())
            log_in({"AUTH", endpoint.user, endpoint.password});
        else if (!endpoint.password.empty())
            log_in({"AUTH", endpoint.password});
        if (endpoint.database != 0) log_in({"SELECT", std::to_string(endpoint.database)});
    }
    greeting.keep_alive = greeting.probe;
    return greeting;
}

Link* link_to(const StoreConf& store) {
    return store.domain < links.size() ? links[store.domain].get() : nullptr;
}

std::string entry_name(const StoreConf& store, const Key& key) {
    return store.endpoint.prefix + "e:" + key.text();
}

std::string lease_name(const StoreConf& store, const Key& key) {
    return store.endpoint.prefix + "l:" + key.text();
}

// What is in a lease's place where there is nothing to fill.
constexpr std::string_view pass_text = "pass";

// Tells this worker's leases from all others'.
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

void ignore_reply(const Reply*) {}

void put_redis(Link& link, const StoreConf& store, const Key& key, const EntryView& entry_head,
               std::string_view prefix, std::string_view body, std::int64_t ttl_ms, const Policy& policy,
               ReplyHandler handler) {
    const std::string& names = store.endpoint.prefix;
    std::string ttl = std::to_string(ttl_ms), key_text = key.text(), commands, policy_bytes;
    unsigned count = 0;
    each_purge_hash(entry_head, [&](std::uint64_t hash) {
        redis_command(commands, {"EVAL", redis_scripts::index_entry, "1", names + "t:" + hash_text(hash),
                                 key_text, ttl});
        count++;
    });
    ByteWriter policy_out(policy_bytes);
    write_policy(policy_out, policy);
    redis_command(commands, {"SET", names + "p:" + key_text, policy_bytes, "PX", ttl});
    count++;
    std::string entry;
    entry.reserve(prefix.size() + body.size());
    entry.append(prefix).append(body);
    redis_command(commands, {"EVAL", redis_scripts::put_entry, "1", names + "e:" + key_text, entry, ttl});
    link.send(commands, count + 1, std::move(handler));
}

std::optional<std::uint64_t> parse_sequence(std::string_view text) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0) return std::nullopt;
    return value;
}

void purge_redis(Link& link, const StoreConf& store, const PurgeRequest& purge,
                 std::function<void(std::optional<std::uint64_t>)> handler) {
    const std::string& names = store.endpoint.prefix;
    std::string words, command;
    std::size_t count = 0;
    auto add = [&](std::string_view word) {
        words.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
        count++;
    };
    for (std::string_view word : {"EVAL", redis_scripts::purge, "4"}) add(word);
    for (const char* name : {"{purge}sequence", "{purge}log", "{purge}pending", "{purge}positions"})
        add(names + name);
    add(purge.position);
    add(purge.regenerate ? "1" : "0");
    add(purge.mode == PurgeMode::hard ? "h" : "s");
    for (std::uint64_t hash : purge.hashes) add(hash_text(hash));
    command.append("*").append(std::to_string(count)).append("\r\n").append(words);
    link.send(command, 1, [handler = std::move(handler)](const Reply* reply) {
        bool good = reply != nullptr && reply->kind == Reply::Kind::bytes;
        handler(good ? parse_sequence(reply->text) : std::nullopt);
    });
}

// A purge of a memcached store on its way: it is made once its lines are in the log. Another machine may replace the log by a floor
// between our commands, and memcached may evict it.
struct MemcachedPurge {
    const StoreConf& store;
    PurgeRequest purge;
    std::function<void(std::optional<std::uint64_t>)> handler;
    unsigned attempts_left = 3;
};

// The sequence of the last line of `log` that purges one of `hashes` under a number of at least `drawn`. Nothing if there is none.
std::optional<std::uint64_t> sequence_in(std::string_view log, const std::vector<std::uint64_t>& hashes, std::uint64_t drawn) {
    std::optional<std::uint64_t> found;
    std::uint64_t last = 0;
    each_purge_line(log, last, [&](const PurgeLine& line, std::uint64_t sequence) {
        if (line.hash && line.drawn >= drawn && std::find(hashes.begin(), hashes.end(), *line.hash) != hashes.end())
            found = sequence;
    });
    return found;
}

// add fails where the log is, append where it is not: one of the two writes the log's beginning. The log is then read, as it alone
// says which sequence the purge has got: it may begin with a floor, or have lines of a clock that is ahead, of which this machine
// has not heard.
void purge_memcached(Link& link, std::shared_ptr<MemcachedPurge> making) {
    const StoreConf& store = making->store;
    const std::uint64_t first = std::max(zone().last_purge(store.domain) + 1, static_cast<std::uint64_t>(now_ms()) * 1000);
    std::string lines, command, name = store.endpoint.prefix + "purges";
    std::uint64_t sequence = first;
    for (std::uint64_t hash : making->purge.hashes)
        lines += purge_line_text(sequence++, hash_text(hash), making->purge.mode == PurgeMode::hard);
    memcached_store(command, "add", name, 0, purge_log_floor(store.domain));
    memcached_store(command, "append", name, 0, lines);
    memcached_get(command, name);
    making->attempts_left--;
    link.send(command, 3, [&link, making, first](const Reply* reply) {
        if (reply == nullptr) return making->handler(std::nullopt);
        auto made = reply->kind == Reply::Kind::bytes ? sequence_in(reply->text, making->purge.hashes, first) : std::nullopt;
        if (!made && making->attempts_left > 0) return purge_memcached(link, making);
        making->handler(made);
    });
}

}  // namespace

std::uint64_t fence_now(const StoreConf* store) {
    if (store == nullptr) return zone().last_purge(0);
    return zone().last_purge(store->domain);
}

bool is_available(const StoreConf& store) {
    Link* link = link_to(store);
    return link != nullptr && link->available();
}

bool get_entry(const StoreConf& store, const Key& key, std::function<void(StoreAnswer)> handler) {
    if (!is_available(store)) return false;
    Link* link = link_to(store);
    std::string command;
    if (store.endpoint.kind == StoreKind::memcached)
        memcached_get(command, entry_name(store, key));
    else
        redis_command(command, {"GET", entry_name(store, key)});
    link->send(command, 1, [handler = std::move(handler)](const Reply* reply) {
        if (reply == nullptr || reply->kind == Reply::Kind::error) return handler({true, {}});
        handler({false, reply->kind == Reply::Kind::bytes ? reply->text : std::string_view{}});
    });
    return true;
}

bool put_entry(const StoreConf& store, const Key& key, std::string_view prefix, std::string_view body,
               const Policy& policy, std::function<void(bool)> handler) {
    Link* link = link_to(store);
    if (link == nullptr || !link->available()) return false;
    EntryView head = EntryView::trusted(prefix);
    std::int64_t ttl_ms = head.head().life.dead_at_ms() - now_ms();
    if (ttl_ms <= 0) return false;
    auto answered = [handler = std::move(handler)](const Reply* reply) {
        handler(reply != nullptr && reply->kind != Reply::Kind::error);
    };
    if (store.endpoint.kind == StoreKind::redis) {
        put_redis(*link, store, key, head, prefix, body, ttl_ms, policy, std::move(answered));
        return true;
    }
    if (prefix.size() + body.size() > max_memcached_item - 1024) return false;
    std::string command;
    memcached_store(command, "set", entry_name(store, key), memcached_expiry(ttl_ms, now_ms()), prefix, body);
    link->send(command, 1, std::move(answered));
    return true;
}

void forget_entry(const StoreConf& store, const Key& key) {
    Link* link = link_to(store);
    if (link == nullptr || !link->available()) return;
    std::string command;
    if (store.endpoint.kind == StoreKind::memcached)
        memcached_delete(command, entry_name(store, key));
    else
        redis_command(command, {"DEL", entry_name(store, key)});
    link->send(command, 1, ignore_reply);
}

bool claim_lease(const StoreConf& store, const Key& key, ngx_msec_t ttl_ms,
                 std::function<void(LeaseAnswer)> handler) {
    if (!is_available(store)) return false;
    Link* link = link_to(store);
    std::string command, name = lease_name(store, key);
    auto answer = std::make_shared<LeaseAnswer>();
    auto claimed = [answer](const Reply* reply) {
        answer->ours = reply != nullptr && reply->kind == Reply::Kind::status;
        answer->refused = reply != nullptr && reply->kind == Reply::Kind::nil;
    };
    auto held = [answer](const Reply* reply) {
        bool passes = reply != nullptr && reply->kind == Reply::Kind::bytes && reply->text == pass_text;
        answer->passes = answer->refused && passes;
        answer->refused = answer->refused && !passes;
    };
    if (store.endpoint.kind == StoreKind::memcached) {
        constexpr ngx_msec_t poll_ms = 5, pass_ms = 10'000;  // memcached tells nobody, and not how long
        memcached_store(command, "add", name, memcached_expiry(static_cast<std::int64_t>(ttl_ms), now_ms()),
                        own_token());
        link->send(command, 1, claimed);
        command.clear();
        memcached_get(command, name);
        link->send(command, 1, [answer, held, handler = std::move(handler)](const Reply* reply) {
            held(reply);
            answer->again_ms = answer->passes ? pass_ms : poll_ms;
            handler(*answer);
        });
        return true;
    }
    redis_command(command, {"SET", name, own_token(), "NX", "PX", std::to_string(ttl_ms)});
    link->send(command, 1, claimed);
    command.clear();
    redis_command(command, {"GET", name});
    link->send(command, 1, held);
    command.clear();
    redis_command(command, {"PTTL", name});
    link->send(command, 1, [answer, handler = std::move(handler)](const Reply* reply) {
        bool known = reply != nullptr && reply->kind == Reply::Kind::integer && reply->integer >= 0;
        answer->again_ms = known ? static_cast<ngx_msec_t>(reply->integer) + 1 : 1;
        handler(*answer);
    });
    return true;
}

void release_lease(const StoreConf& store, const Key& key) {
    if (!is_available(store)) return;
    std::string command;
    if (store.endpoint.kind == StoreKind::memcached)
        memcached_delete(command, lease_name(store, key));
    else
        redis_command(command,
                      {"EVAL", redis_scripts::release_lease, "1", lease_name(store, key), own_token()});
    link_to(store)->send(command, 1, ignore_reply);
}

void pass_lease(const StoreConf& store, const Key& key, ngx_msec_t for_ms) {
    if (!is_available(store)) return;
    std::string command;
    if (store.endpoint.kind == StoreKind::memcached)
        memcached_store(command, "set", lease_name(store, key),
                        memcached_expiry(static_cast<std::int64_t>(for_ms), now_ms()), pass_text);
    else
        redis_command(command, {"SET", lease_name(store, key), pass_text, "PX", std::to_string(for_ms)});
    link_to(store)->send(command, 1, ignore_reply);
}

bool ask_kept(const StoreConf& store, std::function<void(std::optional<std::string_view>)> handler) {
    Link* link = link_to(store);
    if (link == nullptr || !link->available()) return false;
    std::string command;
    redis_command(command, {"GET", store.endpoint.prefix + "{purge}kept"});
    link->send(command, 1, [handler = std::move(handler)](const Reply* reply) {
        bool has_value = reply != nullptr && reply->kind == Reply::Kind::bytes;
        handler(has_value ? std::optional(std::string_view(reply->text)) : std::nullopt);
    });
    return true;
}

void purge_store(const StoreConf& store, const PurgeRequest& purge,
                 std::function<void(std::optional<std::uint64_t>)> handler) {
    Link* link = link_to(store);
    if (link == nullptr || !link->available()) return handler(std::nullopt);
    if (store.endpoint.kind == StoreKind::redis) return purge_redis(*link, store, purge, std::move(handler));
    purge_memcached(*link, std::make_shared<MemcachedPurge>(store, purge, std::move(handler)));
}

std::string purge_log_floor(unsigned domain) {
    std::uint64_t now_us = static_cast<std::uint64_t>(now_ms()) * 1000;
    return purge_line_text(std::max(zone().last_purge(domain), now_us) + 1'000'000, "floor", false);
}

bool has_daemon() {
    return !links.empty() && links[0] != nullptr;
}

void enqueue_job(const Key& key, const Job& job, std::function<void(Enqueued)> handler) {
    Link* link = has_daemon() ? links[0].get() : nullptr;
    if (link == nullptr || !link->available()) return handler(Enqueued::nobody);
    const Endpoint& endpoint = link->endpoint();
    std::string command, key_text = key.text(), bytes = encode_job(job);
    std::string delay = std::to_string(delay_of(job.reason).count());
    const char* urgent = job.urgent() ? "1" : "0";
    if (endpoint.kind == StoreKind::larderd) {
        redis_command(command, {"ENQUEUE", key_text, delay, urgent, bytes});
    } else {
        auto name = [&endpoint](const char* part) { return endpoint.prefix + "{queue}" + part; };
        redis_command(command, {"EVAL", redis_scripts::enqueue, "6", name("due"), name("running"),
                                name("dirty"), name("jobs"), name("alive"), name("asked"), key_text, delay, bytes, urgent});
    }
    link->send(command, 1, [handler = std::move(handler)](const Reply* reply) {
        bool answered =
            reply != nullptr && (reply->kind == Reply::Kind::bytes || reply->kind == Reply::Kind::status);
        std::string_view word = answered ? reply->text : std::string_view();
        if (word == "new" || word == "raised" || word == "dirty") return handler(Enqueued::queued);
        if (word == "dup" || word == "running") return handler(Enqueued::duplicate);
        if (word == "refused") return handler(Enqueued::refused);
        handler(Enqueued::nobody);  // no daemon, no room ("full"), or a word that we don't know
    });
}

void start_stores(ngx_cycle_t* cycle, MainConf& conf) {
    use_resolver(cycle);
    links.resize(near_cache::max_domains);
    if (conf.daemon) {
        links[0] = std::make_unique<Link>(*conf.daemon, greeting_for(*conf.daemon), cycle->log);
        links[0]->connect();
    }
    for (StoreConf& store : conf.stores) {
        store.domain = zone().domain_of(store.identity());
        links[store.domain] =
            std::make_unique<Link>(store.endpoint, greeting_for(store.endpoint), cycle->log);
        links[store.domain]->connect();
        // One worker keeps the zone up to date for all.
        if (ngx_worker == 0)
            followers.push_back(std::make_unique<Follower>(store, greeting_for(store.endpoint),
                                                           *links[store.domain], cycle->log));
    }
}

void stop_stores() {
    followers.clear();
    links.clear();
}

}  // namespace larder::ngx
