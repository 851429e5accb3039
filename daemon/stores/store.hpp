// The daemon's interface to a store: entries, the index from tags to keys, and purges. The same tests run against Redis and
// memcached (tests/daemon/store_conformance.hpp).
//
// This order makes purges safe without transactions: a render reads newest_purge() (its fence) before it sends its request
// to the backend, and then calls index(), put() and purges_since(fence). A purge is first written to the log; then its
// entries are looked up in the index. In any interleaving, either the render sees the purge, or the purge finds the entry
// in the index.
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
    std::uint64_t sequence = 0;  // microseconds of Unix time, made strictly increasing
    std::uint64_t hash = 0;      // of the tag or URL (cache/request/key.hpp)
    std::string position;        // commit position of the database change that caused it; empty: unknown
};

struct PurgeSeen {
    std::uint64_t sequence = 0;  // of the newest purge that names the entry; 0: none
    PurgeMode mode = PurgeMode::none;  // hard if any of the purges is hard
    std::int64_t at_ms = 0;  // Unix time of that purge: by this machine's clock with Redis, by the purging machine's with memcached

    PurgeMark mark() const { return {mode, at_ms}; }
};

// The entry is larger than what the store accepts. Nothing was changed.
class TooLarge : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A line of the store's purge log.
struct LoggedPurge {
    std::uint64_t sequence = 0;
    std::uint64_t hash = 0;
    PurgeMode mode = PurgeMode::soft;
};

struct KeyPage {
    std::vector<std::string> keys;
    std::string next;  // cursor for the next page; empty: this was the last one
};

// All methods are thread-safe, and throw std::runtime_error if the store can't be reached.
class Store {
public:
    virtual ~Store() = default;

    // The store's identity (cache/wire/store_identity.hpp). Writes a random one if there is none. 0: it could not be written.
    virtual std::uint64_t identity() = 0;

    // The sequence of the newest purge: the fence of a render that begins now. 0: there was none.
    virtual std::uint64_t newest_purge() = 0;
    // For each database, the newest commit position that a purge came with, as received. A render may use newest_purge()
    // as its fence only if it reads from servers that have replayed these positions. Call it after newest_purge().
    virtual std::vector<std::string> newest_positions() = 0;
    // Replaces a commit position that no server can reach by `by`, unless a newer one has been stored.
    virtual void replace_position(const std::string& position, const std::string& by) = 0;
    // The newest purge after `fence` that names one of the hashes. If the log lost its oldest lines, these count as naming
    // all hashes.
    virtual PurgeSeen purges_since(std::uint64_t fence, const std::vector<std::uint64_t>& hashes) = 0;

    // The log's purges after `sequence`, whoever made them, in order. Lost lines are not reported.
    virtual std::vector<LoggedPurge> logged_after(std::uint64_t sequence) = 0;

    // The entry's bytes, unchecked. nullopt: no entry.
    virtual std::optional<std::string> get(std::string_view key) = 0;
    // The first `size` bytes of the entry, or all if it is shorter. `size` > 0.
    virtual std::optional<std::string> get_start(std::string_view key, std::size_t size) = 0;
    // Stores the entry for `lifetime`, unless the present one has a higher fence, or the same fence and is younger; then
    // returns false. Throws TooLarge.
    virtual bool put(std::string_view key, std::string_view entry, std::chrono::milliseconds lifetime) = 0;

    // Deletes the entry and its policy.
    virtual void remove(std::string_view key) = 0;

    // Adds the key to the index under the hashes of its tags and URL, and stores its policy (encoded by write_policy),
    // both for at least `lifetime`.
    virtual void index(std::string_view key, const std::vector<std::uint64_t>& hashes,
                       std::string_view policy, std::chrono::milliseconds lifetime) = 0;
    // Removes the key from the index: from under this hash with Redis, entirely with memcached.
    virtual void forget(std::string_view key, std::uint64_t hash) = 0;
    // A page of the keys under the hash, from the cursor `from` ("": the first page). A walk over all pages returns each
    // key that is present throughout at least once, others perhaps.
    virtual KeyPage keys_under(std::uint64_t hash, const std::string& from) = 0;
    // Calls f(key) for each key under the hash, for some keys more than once.
    void each_key(std::uint64_t hash, const std::function<void(const std::string&)>& f);
    // The policy that was given to index(). nullopt: unknown.
    virtual std::optional<Policy> policy(std::string_view key) = 0;

    // Changes whenever the store may have lost purges, for instance by a restart or failover. Empty: not needed, as a lost
    // log is replaced by a line that purges everything.
    virtual std::string incarnation() = 0;
    // Sequence of the newest purge of the hash in the log; with `mode` hard, only of hard ones. 0: none.
    virtual std::uint64_t newest_purge_of(std::uint64_t hash, PurgeMode mode) = 0;
    // Announces, for 5 s, that the log's purges up to `sequence` are on this daemon's disk (0: none). Not with memcached.
    virtual void tell_kept(std::uint64_t /*sequence*/) {}
    // Appends a purge to the log, with a request to regenerate its pages. Returns its sequence.
    virtual std::uint64_t purge(const std::vector<std::uint64_t>& hashes, PurgeMode mode,
                                std::string_view position) = 0;
    // At most `most` (> 0) purges whose pages must still be queued for regeneration, oldest first; none if another daemon
    // does that now. They stay pending until settle().
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
