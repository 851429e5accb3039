// A store as the daemon sees it: entries, the index from tags to keys, and purges. Redis and memcached keep one contract
// (tests/daemon/store_conformance.hpp).
//
// Order that makes purges safe without transactions: a render reads newest_purge() before it asks the backend (its fence),
// then index() -> put() -> purges_since(fence). A purge writes its record, then walks the index. Whatever the interleaving,
// one of the two sees the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cache/response/policy.hpp"
#include "cache/response/verdict.hpp"

namespace larder::daemon {

struct Purge {
    std::uint64_t sequence = 0;  // microseconds of Unix time: says when, too
    std::uint64_t hash = 0;      // of the tag or URL (cache/request/key.hpp)
    std::string position;        // database commit position that caused it; empty: unknown or none
};

struct PurgeSeen {
    std::uint64_t sequence = 0;  // of the newest purge that concerns the entry; 0: none
    PurgeMode mode = PurgeMode::none;
    std::int64_t at_ms = 0;  // when it was made, by this machine's clock

    PurgeMark mark() const { return {mode, at_ms}; }
};

// The store has no room for an entry of this size, ever. Nothing was changed.
class TooLarge : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// As the store's log has it.
struct LoggedPurge {
    std::uint64_t sequence = 0;
    std::uint64_t hash = 0;
    PurgeMode mode = PurgeMode::soft;
};

struct KeyPage {
    std::vector<std::string> keys;
    std::string next;  // cursor; empty: these were the last
};

// All methods may be called from any thread and throw std::runtime_error when the store cannot be reached.
class Store {
public:
    virtual ~Store() = default;

    // What the store calls itself (cache/wire/store_identity.hpp); it is given an identity if it has none.
    virtual std::uint64_t identity() = 0;

    // The newest purge that a render which begins now has seen, if not a little more; 0: there was none.
    virtual std::uint64_t newest_purge() = 0;
    // The newest commit position, for each database, that any purge came with, unverified. To claim newest_purge() as its fence, a
    // render must read from servers that have replayed them: ask for it after newest_purge().
    virtual std::vector<std::string> newest_positions() = 0;
    // A position that no server can have is forgotten for one that stands for it; no effect unless it is the newest.
    virtual void replace_position(const std::string& position, const std::string& by) = 0;
    // The newest purge after `fence` that names one of the hashes; a log that was cut short counts as naming all of them.
    virtual PurgeSeen purges_since(std::uint64_t fence, const std::vector<std::uint64_t>& hashes) = 0;

    // The purges after `sequence` that are in the log, whoever made them, in order.
    virtual std::vector<LoggedPurge> logged_after(std::uint64_t sequence) = 0;

    // The entry's bytes, unchecked. Nothing when there is none.
    virtual std::optional<std::string> get(std::string_view key) = 0;
    // At least the first `size` bytes of it, if it has that many.
    virtual std::optional<std::string> get_start(std::string_view key, std::size_t size) = 0;
    // Stores for `lifetime` unless what is there saw more purges, or as many and is younger. False: kept the other one.
    // Throws TooLarge.
    virtual bool put(std::string_view key, std::string_view entry, std::chrono::milliseconds lifetime) = 0;

    // Drops the entry and its policy.
    virtual void remove(std::string_view key) = 0;

    // Notes the key under the hashes of its tags and URL, and its policy (as write_policy makes it), for at least `lifetime`.
    virtual void index(std::string_view key, const std::vector<std::uint64_t>& hashes,
                       std::string_view policy, std::chrono::milliseconds lifetime) = 0;
    virtual void forget(std::string_view key, std::uint64_t hash) = 0;
    // Some of the keys under the hash, `from` a cursor ("": the first ones). A key that is there all the time comes at least once.
    virtual KeyPage keys_under(std::uint64_t hash, const std::string& from) = 0;
    // Calls f(key) for each key under the hash; a key may come twice.
    void each_key(std::uint64_t hash, const std::function<void(const std::string&)>& f);
    virtual std::optional<Policy> policy(std::string_view key) = 0;

    // Changes whenever the store may have lost purges, as by a restart or a failover. Empty: the store makes up for lost purges by
    // itself.
    virtual std::string incarnation() = 0;
    // The newest purge of the hash in the store's log that is at least as hard as `mode`; 0: none.
    virtual std::uint64_t newest_purge_of(std::uint64_t hash, PurgeMode mode) = 0;
    // Tells others for a while that somebody keeps the purges in the log up to this one.
    virtual void tell_kept(std::uint64_t /*sequence*/) {}
    // Records a purge and asks for its regeneration. Returns its sequence.
    virtual std::uint64_t purge(const std::vector<std::uint64_t>& hashes, PurgeMode mode,
                                std::string_view position) = 0;
    // At most `most` purges whose regeneration is yet to be queued, the oldest first; none when another daemon does it. They stay
    // pending until settle().
    virtual std::vector<Purge> pending(std::size_t most) = 0;
    virtual void settle(const Purge& purge) = 0;
};

inline void Store::each_key(std::uint64_t hash, const std::function<void(const std::string&)>& f) {
    std::string cursor;
    do {
        KeyPage page = keys_under(hash, cursor);
        for (const std::string& key : page.keys) f(key);
        cursor = std::move(page.next);
    } while (!cursor.empty());
}

}  // namespace larder::daemon
