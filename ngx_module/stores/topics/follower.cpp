// Applies purge logs and invalidation messages to the shared zone.
#include "ngx_module/stores/topics/follower.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "cache/request/key.hpp"
#include "cache/wire/memcached_names.hpp"
#include "cache/wire/memcached_wire.hpp"
#include "cache/wire/purge_line.hpp"
#include "cache/wire/redis_wire.hpp"
#include "cache/response/verdict.hpp"
#include "cache/wire/store_identity.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/near/wakeup.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/stores/topics/purges.hpp"
#include "ngx_module/stores/nodes/registry.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// The longest delay until a purge made elsewhere is seen; less if the store notifies us.
constexpr ngx_msec_t poll_interval_ms = 500;
// How long an identity is used before it is read again: a store that was emptied gets another one.
constexpr ngx_msec_t identity_interval_ms = 5000;
// How long to wait before another attempt to subscribe, if Redis refused it: its ACL may have been changed.
constexpr ngx_msec_t ask_again_ms = 30'000;

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string_view text_of(const redisReply* reply) {
    if (reply == nullptr || reply->str == nullptr) return {};
    return {reply->str, static_cast<std::size_t>(reply->len)};
}

// `member`: "TAGHASH:s", "TAGHASH:h" or "floor".
void apply(unsigned domain, std::string_view member, std::uint64_t sequence) {
    if (member == "floor") return zone().raise_floor(domain, sequence);
    if (member.size() != 18 || member[16] != ':') return;
    auto hash = hash_from_text(member.substr(0, 16));
    if (!hash) return;
    zone().purge(domain, *hash, member[17] == 'h' ? PurgeMode::hard : PurgeMode::soft, sequence, now_ms());
}

}  // namespace

Follower::Follower(const StoreConf& store, ngx_log_t* log)
    : store_(store), node_(router_to(store)->node_of(StoreNames(store.endpoint.prefix).purge("log"))), log_(log) {
    // An earlier follower may have died without resetting this: rely on no notifications until we get them ourselves.
    zone().set_told(store.domain, false);
    timer_.data = this;
    timer_.log = log;
    timer_.cancelable = 1;
    timer_.handler = [](ngx_event_t* event) {  // guarded
        auto* follower = static_cast<Follower*>(event->data);
        guarded(event->log, "purge log", 0, [follower] {
            follower->poll();
            return 0;
        });
    };
    ngx_add_timer(&timer_, 1);
    if (store.endpoint.kind != StoreKind::redis) return;
    subscriber_ = std::make_unique<Link>(store.endpoint, subscribers_greeting(store.endpoint), log);
    subscriber_->on_up([this] { ask_for_id(); });
    subscriber_->on_push([this](const Reply* message) { return told(message); });
    subscriber_->connect();
}

Follower::~Follower() {
    *alive_ = false;
    if (timer_.timer_set) ngx_del_timer(&timer_);
}

void Follower::poll() {
    if (!timer_.timer_set) ngx_add_timer(&timer_, poll_interval_ms);
    if (subscriber_ != nullptr) keep_subscribed();
    if (identified_ != node_.generation() || ngx_current_msec - identified_at_ >= identity_interval_ms)
        ask_for_identity();
    give_owed();
    if (asking_) {
        ask_again_ = true;
        return;
    }
    if (!node_.available()) return;
    asking_ = true;
    ask_again_ = false;
    std::string command;
    if (store_.endpoint.kind == StoreKind::memcached) {
        memcached_get(command, node_.names().purge_log());
    } else {
        std::string after = "(" + std::to_string(zone().log_read(store_.domain));
        redis_command(command, {"ZRANGEBYSCORE", node_.names().purge("log"), after, "+inf", "WITHSCORES", "LIMIT", "0",
                                std::to_string(batch_)});
    }
    if (store_.endpoint.kind == StoreKind::redis) {
        std::string time;
        redis_command(time, {"TIME"});
        node_.send(time, 1, [this, alive = alive_, asked_ms = now_ms()](const Reply* reply) {
            if (*alive) take_time(reply, asked_ms);
        });
    }
    node_.send(command, 1, [this, alive = alive_](const Reply* reply) {
        if (!*alive) return;
        asking_ = false;
        if (reply == nullptr) return;
        if (store_.endpoint.kind == StoreKind::memcached)
            take_memcached_log(reply);
        else
            take_redis_log(reply);
        if (ask_again_) poll();
    });
}

// Gives the store the purges that were made here while it was away or refused them.
void Follower::give_owed() {
    constexpr std::size_t most_at_once = 500;
    if (giving_ || !node_.available()) return;
    std::vector<near_cache::Zone::Owed> owed = zone().owed(store_.domain, most_at_once);
    if (owed.empty()) return;
    PurgeRequest purge;
    purge.mode = owed.front().mode;
    std::erase_if(owed, [&purge](const near_cache::Zone::Owed& other) { return other.mode != purge.mode; });
    for (const near_cache::Zone::Owed& one : owed) purge.hashes.push_back(one.tag);
    giving_ = true;
    purge_store(store_, purge, [this, alive = alive_, owed = std::move(owed)](std::optional<std::uint64_t> sequence) {
        if (!*alive) return;
        giving_ = false;
        if (!sequence) return;  // the next poll tries again
        for (const near_cache::Zone::Owed& one : owed)
            zone().settle(store_.domain, one.tag, one.mode, one.drawn, *sequence, now_ms());
        give_owed();
    });
}

void Follower::ask_for_identity() {
    identified_ = node_.generation();
    identified_at_ = ngx_current_msec;
    std::string command, name = node_.names().identity(), made = new_store_identity();
    if (store_.endpoint.kind == StoreKind::memcached) {
        memcached_store(command, "add", name, 0, made);
        memcached_get(command, name);
    } else {
        redis_command(command, {"SET", name, made, "NX"});
        redis_command(command, {"GET", name});
    }
    node_.send(command, 2, [alive = alive_, domain = store_.domain](const Reply* reply) {
        auto identity = reply != nullptr && reply->kind == Reply::Kind::bytes ? hash_from_text(reply->text)
                                                                              : std::nullopt;
        if (*alive) zone().set_store_identity(domain, identity.value_or(0));
    });
}

void Follower::take_redis_log(const Reply* reply) {
    if (reply->kind != Reply::Kind::array) return;
    std::uint64_t newest = 0, before = 0;  // before: the newest sequence below `newest`; several lines may have the same one
    for (std::size_t i = 0; i + 1 < reply->tree->elements; i += 2) {
        auto sequence = parse_number(text_of(reply->tree->element[i + 1]));
        if (!sequence) continue;
        apply(store_.domain, text_of(reply->tree->element[i]), *sequence);
        if (*sequence != newest) before = std::exchange(newest, *sequence);  // they are in ascending order
    }
    // Read the rest in another turn. The last purge may have more lines than were read, so read all of its lines
    // again; use a larger batch if it has filled this one.
    const bool is_full = reply->tree->elements >= 2 * batch_;
    const bool is_one = is_full && before == 0;
    ask_again_ = ask_again_ || (is_full && (is_one ? batch_ < most_in_batch : before > zone().log_read(store_.domain)));
    batch_ = is_one ? std::min(2 * batch_, most_in_batch) : first_batch;
    std::uint64_t read = is_full ? before : newest;
    if (read != 0) zone().set_log_read(store_.domain, read);
}

// Assumes that both directions take the same time; the error is at most half of the round trip.
void Follower::take_time(const Reply* reply, std::int64_t asked_ms) {
    if (reply == nullptr || reply->kind != Reply::Kind::array || reply->tree->elements != 2) return;
    auto seconds = parse_number(text_of(reply->tree->element[0]));
    auto micros = parse_number(text_of(reply->tree->element[1]));
    if (!seconds || !micros || *seconds > static_cast<std::uint64_t>(max_instant_ms / 1000)) return;
    auto store_ms = static_cast<std::int64_t>(*seconds * 1000 + *micros / 1000);
    zone().set_clock(store_.domain, store_ms - (asked_ms + now_ms()) / 2);
}

void Follower::take_memcached_log(const Reply* reply) {
    const std::string name = node_.names().purge_log();
    std::string command;
    if (reply->kind != Reply::Kind::bytes) {
        log_first_line_.clear();
        if (reply->kind != Reply::Kind::nil) return;
        owe_again();
        // The log was evicted, or memcached was restarted. Begin a new log with a floor: entries that are older than
        // all we know count as purged.
        memcached_store(command, "add", name, 0, purge_log_floor(store_.domain));
        // Read the log at once, as entries filled before we know the floor count as purged.
        node_.send(command, 1, [this, alive = alive_](const Reply* added) {
            if (*alive && added != nullptr) poll();
        });
        return;
    }
    std::string_view text = reply->text;
    if (log_first_line_.empty() || !text.starts_with(log_first_line_)) {
        if (!log_first_line_.empty()) owe_again();
        log_first_line_ = text.substr(0, text.find('\n') + 1);
        log_bytes_seen_ = 0;
        log_sequence_ = 0;
    }
    if (text.size() <= log_bytes_seen_) return;
    const bool from_the_start = log_bytes_seen_ == 0;
    const std::uint64_t known = zone().last_purge(store_.domain);
    std::string_view fresh = text.substr(log_bytes_seen_);
    log_bytes_seen_ += each_purge_line(fresh, log_sequence_, [this](const PurgeLine& line, std::uint64_t sequence) {
        if (!line.hash) return zone().raise_floor(store_.domain, sequence);
        zone().purge(store_.domain, *line.hash, line.hard ? PurgeMode::hard : PurgeMode::soft, sequence, now_ms());
    });
    if (from_the_start && log_sequence_ < known) {
        // Whoever began this log knew less than we do, so its sequences may not be above our entries' fences.
        memcached_store(command, "append", name, 0, purge_log_floor(store_.domain));
        node_.send(command, 1, [](const Reply*) {});
    } else if (text.size() > max_purge_log_bytes) {
        memcached_store(command, "set", name, 0, purge_log_floor(store_.domain));
        node_.send(command, 1, [](const Reply*) {});
    }
}

// The log was lost, perhaps with purges that others had not read yet. Gives it the hard ones again; the floor of the
// new log covers the soft ones.
void Follower::owe_again() {
    // Others read the log every half second, or when they reach the store again.
    constexpr std::uint64_t lately_us = 30'000'000;
    zone().owe_again(store_.domain, static_cast<std::uint64_t>(now_ms()) * 1000 - lately_us);
}

// Keeps the subscription at the server to which the worker's other connection leads.
void Follower::keep_subscribed() {
    if (telling_ == Telling::on && node_.generation() != told_beside_)
        subscriber_->disconnect("the store may be another server now");
    if (telling_ == Telling::off && subscriber_->is_up() && ngx_current_msec - asked_at_ >= ask_again_ms)
        ask_for_id();
}

void Follower::ask_for_id() {
    telling_ = Telling::asked;
    asked_at_ = ngx_current_msec;
    told_beside_ = node_.generation();
    std::string command;
    redis_command(command, {"CLIENT", "ID"});
    subscriber_->send(command, 1, [this](const Reply* reply) {
        if (reply != nullptr && reply->kind == Reply::Kind::integer) return ask_for_tracking(reply->integer);
        refused("CLIENT ID", reply);
    });
}

// A subscriber may send only PING and the like, so wait for each answer before the next step.
void Follower::ask_for_tracking(long long id) {
    const StoreNames& names = node_.names();
    std::string command;
    // First switch tracking off: prefixes of an earlier attempt would conflict.
    redis_command(command, {"CLIENT", "TRACKING", "OFF"});
    redis_command(command, {"CLIENT", "TRACKING", "ON", "REDIRECT", std::to_string(id), "BCAST", "PREFIX",
                            names.entries(), "PREFIX", names.leases(), "PREFIX", names.purge("log")});
    subscriber_->send(command, 2, [this](const Reply* reply) {
        if (reply != nullptr && reply->kind == Reply::Kind::status) return ask_for_messages();
        refused("CLIENT TRACKING", reply);
    });
}

void Follower::ask_for_messages() {
    std::string command;
    redis_command(command, {"SUBSCRIBE", "__redis__:invalidate"});
    subscriber_->send(command, 1, [this](const Reply* reply) {
        if (reply != nullptr && reply->kind == Reply::Kind::array) return began();
        refused("SUBSCRIBE", reply);
    });
}

void Follower::began() {
    telling_ = Telling::on;
    refusal_logged_ = false;
    zone().set_told(store_.domain, true);
    poll();  // for purges that were made before
}

void Follower::refused(const char* command, const Reply* reply) {
    telling_ = Telling::off;
    if (reply == nullptr || std::exchange(refusal_logged_, true)) return;
    ngx_log_error(NGX_LOG_WARN, log_, 0,
                  "larder: %s does not tell of changes (%s was refused): near entries are checked every second",
                  store_.endpoint.url.c_str(), command);
}

bool Follower::told(const Reply* message) {
    if (message == nullptr) {
        telling_ = Telling::off;
        zone().set_told(store_.domain, false);
        return true;
    }
    if (message->kind != Reply::Kind::array || message->tree->elements != 3 ||
        text_of(message->tree->element[0]) != "message") {
        return false;
    }
    const redisReply* keys = message->tree->element[2];
    if (keys->type != REDIS_REPLY_ARRAY) {  // null: the whole database was flushed
        zone().set_told(store_.domain, false);
        zone().set_told(store_.domain, true);
        poll();
        return true;
    }
    const std::string entry_prefix = node_.names().entries(), lease_prefix = node_.names().leases();
    bool purged = false;
    for (std::size_t i = 0; i < keys->elements; i++) {
        std::string_view name = text_of(keys->element[i]);
        if (name.substr(0, entry_prefix.size()) == entry_prefix) {
            if (auto key = Key::from_text(name.substr(entry_prefix.size())))
                wake_workers(zone().changed(*key));
        } else if (name.substr(0, lease_prefix.size()) == lease_prefix) {
            if (auto key = Key::from_text(name.substr(lease_prefix.size())))
                wake_workers(zone().lease_changed(*key));
        } else {
            purged = true;
        }
    }
    if (purged) poll();
    return true;
}

}  // namespace larder::ngx
