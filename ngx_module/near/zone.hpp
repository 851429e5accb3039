// The near cache: entries, fill locks, refresh leases, the purge table and counters of one nginx, in shared memory.
//
// There is one node per variant. It is in a hash table and in the LRU list, and holds the state of that variant. An
// entry is stored in a block: a list of pieces of memory, of whatever sizes were free. So storing an entry evicts
// about as many bytes as it has.
//
// Invariants:
//  - One lock guards everything except the contents of blocks, the counters, and what is declared atomic.
//  - A critical section does a bounded number of steps: at most slice_steps allocations, evictions or visits, and
//    read_steps slots of a table that it reads. Longer work (making a large block, sweep(), owed(), owe_again())
//    releases the lock between slices. Only the recovery after a death inside a critical section walks everything.
//  - The entry in a block never changes. It is copied in before a node refers to the block, and read while the block
//    is held. Neither needs the lock.
//  - A block is freed when no node and no hold refers to it. Its maker holds it from its first piece on.
//  - Every list of pieces is complete at any instant, as a piece is linked only after its own header was written. So
//    held blocks can be found after a death at any instruction.
//  - Nodes with a fill or a refresh in progress are in the list of claims. sweep() finds there, and in the table of
//    holds, what a dead process held, and releases it. It runs in the next process that starts.
//  - A death inside a critical section leaves `busy` set. The next process that locks empties the cache, except for
//    held blocks, instead of trusting links that may be incomplete. This allocates nothing and can't fail.
//  - Before a purge is dropped from the purge table, it raises its domain's floor: entries that may have missed it
//    count as purged.
//
// This code knows neither nginx nor a clock: the lock and the time are passed in. All times are Unix time in
// milliseconds. Methods that destructors call (release, abandon) never throw.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/entry.hpp"
#include "cache/request/key.hpp"
#include "cache/response/verdict.hpp"
#include "ngx_module/near/arena.hpp"

namespace larder::near_cache {

inline constexpr std::size_t min_zone_bytes = 1u << 20;
inline constexpr unsigned max_domains = 32;   // stores, plus domain 0: entries in the near cache alone
inline constexpr unsigned slice_steps = 64;   // the most steps of one critical section
inline constexpr unsigned read_steps = 1024;  // the most slots that it reads of a table, where they are contiguous
inline constexpr unsigned max_workers = 64;   // bits of the masks; worker number n has bit n % max_workers

class Lock {
public:
    virtual ~Lock() = default;
    virtual void lock() = 0;
    virtual void unlock() = 0;
};

// Counters only grow.
enum class Counter : unsigned {
    hit, stale, miss, revalidated, coalesced, bypass, pass, error_stale, error,
    store_hit, store_miss, store_error, store_skipped, store_refused,
    stored, unstorable, jobs_queued, jobs_duplicate, jobs_failed, inline_refreshes, render_calls, purges, bad_entries, evictions, recoveries,
    purges_forgotten,
    count
};
const char* counter_name(Counter counter);

// Latency histograms: bucket i counts requests that took less than 2^i * 64 microseconds; the last bucket has no
// bound.
inline constexpr unsigned latency_buckets = 20;
enum class LatencyClass : unsigned { hit, stale, backend, count };

struct Stats {
    std::atomic<std::uint64_t> counters[static_cast<unsigned>(Counter::count)];
    std::atomic<std::uint64_t> latency[static_cast<unsigned>(LatencyClass::count)][latency_buckets];
    std::atomic<std::uint64_t> latency_sum_us[static_cast<unsigned>(LatencyClass::count)];
    std::atomic<std::uint64_t> most_turn_work;  // the largest work of one turn, of any worker (turn.hpp)
};

struct Usage {
    std::size_t total_bytes = 0, free_bytes = 0;
    std::uint32_t nodes = 0, entries = 0, holds = 0;
};

// Keeps an entry from being freed until release(). Index into the zone's table of holds; 0: none.
using Hold = std::uint32_t;

// What the zone knew of changes in the store when find() told its caller to ask the store. The counts have 16 bits,
// to fit into a node. They are compared only for equality, within seconds.
struct Check {
    std::uint16_t news = 0;
    std::uint16_t told_epoch = 0;
};

struct Found {
    Hold hold = 0;               // 0: no entry; otherwise the caller must release() it
    std::string_view entry;      // bytes of the entry's first piece, valid while held
    Ref rest = 0;                // where the other pieces are; 0: there are none
    Verdict verdict = Verdict::dead;
    bool purged = false;         // stale because of a purge, whatever its own times say
    // The store may have a newer entry: it told so, or was not asked for long. Ask it, then call checked().
    bool check_store = false;
    Check check;
    bool pass = false;           // a pass: ask the backend, without waiting for other requests
    std::uint64_t version = 0;   // of the entry; a replaced entry has another
    unsigned domain = 0;         // of the entry
    bool assembled = false;      // `entry` is the assembled page
};

enum class Fill : std::uint8_t {
    mine,   // fill it, and end that with insert(), pass() or abandon()
    wait,   // another request fills it; the worker will be woken
    pass,   // a pass, or the zone is out of memory
};

class Zone {
public:
    // `memory`: `size` bytes of a shared mapping, 16-byte aligned. `fresh`: it has no usable contents, so lay it out.
    Zone(void* memory, std::size_t size, Lock& lock, bool fresh);

    // How long an entry is used without asking its store: told_ms while the store tells us about changes, else
    // untold_ms.
    struct Coherence {
        std::int64_t told_ms = 10'000;
        std::int64_t untold_ms = 1'000;
    };

    // The number of the domain with this identity: the same in every process, and after a reload; never 0. The first
    // 30 identities have numbers of their own. All later ones share number 31, so purges of one of these stores also
    // hit entries of the others.
    unsigned domain_of(std::uint64_t identity);

    // Finds the key's entry, and drops it if it is dead. `assembled`: prefers the assembled page, if all its parts
    // are unchanged.
    Found find(const Key& key, std::int64_t now_ms, bool assembled = false);

    // Returns the next bytes of a held entry and advances `rest`. Takes no lock. Precondition: rest != 0.
    std::string_view next_piece(Ref& rest) const;
    // All bytes of a held entry, copied.
    std::string joined(std::string_view first, Ref rest) const;

    // A fragment of an assembled page, by its entry.
    struct Part {
        Key key;
        std::uint64_t version;
    };
    // Keeps the page that the entry of this version gives with these parts. `prefix` and `body` are an entry without
    // a plan. It is served only while the entry and all parts are in the zone, fresh and unchanged.
    void keep_assembled(const Key& key, std::uint64_t version, std::string_view prefix, std::string_view body,
                        std::span<const Part> parts);
    void release(Hold hold);

    // Returns true to at most one caller per `lease_ms`, which then has the stale entry regenerated.
    bool claim_refresh(const Key& key, std::int64_t now_ms, std::int64_t lease_ms);

    // Makes claim_refresh() return false until then. Ends the caller's lease.
    void postpone_refresh(const Key& key, std::int64_t until_ms);

    // Whether one more variant of `base` may be made. True if it exists or is being made, or if fewer than `most`
    // were made within the hour.
    bool admit_variant(const Key& base, const Key& variant, std::int64_t now_ms, unsigned most);

    // The verdict on an entry that is not in this zone, by the purges of its store that the zone knows.
    struct Judged {
        Verdict verdict;
        bool purged;  // stale because of a purge, whatever its own times say
    };
    Judged judge_foreign(const EntryView& entry, unsigned domain, std::int64_t now_ms);

    // The newest purge after `fence` of any of these hashes: one that an answer did not see if its render began at
    // that fence.
    PurgeMark purge_since(unsigned domain, std::uint64_t fence, std::span<const std::uint64_t> hashes);

    // Claims the right to fill the key. If another has it, whoever ends that fill wakes `worker` (0...). The lock
    // expires after `lease_ms`.
    Fill claim_fill(const Key& key, unsigned worker, std::int64_t now_ms, std::int64_t lease_ms);

    // Stores an entry, prefix followed by body, which was checked before, unless a younger one is there. `stored`
    // tells whether it was stored. Ends the key's fill, except if it is a stale entry `from_store`, as waiters need a
    // fresh one. Returns the workers to wake, as a bit mask. Throws std::bad_alloc.
    std::uint64_t insert(const Key& key, unsigned domain, std::string_view prefix, std::string_view body, std::int64_t now_ms,
                         bool* stored = nullptr, bool from_store = false);
    // Whether an entry of that size can be inserted at all.
    bool fits(std::size_t bytes) const { return bytes <= max_block_bytes(); }
    // Marks the key as a pass for `for_ms`: its answers can't be stored. Ends a fill. Returns the workers to wake.
    std::uint64_t pass(const Key& key, std::int64_t now_ms, std::int64_t for_ms);
    // Drops the entry, as the backend no longer confirms it.
    void forget(const Key& key);
    // Ends a fill without a result. Returns the workers to wake.
    std::uint64_t abandon(const Key& key);

    // Call this when the store has answered the question that find() asked for with `check`: the entry is as new as
    // the store was then. Without it the entry remains due, and find() asks another caller after a second.
    void checked(const Key& key, const Check& check, std::int64_t now_ms);

    // The store tells that the entry has changed there. Returns the workers to wake, see await_news().
    std::uint64_t changed(const Key& key);
    // The store tells that the lease for a fill of this key was taken or released. Returns the workers to wake.
    std::uint64_t lease_changed(const Key& key);
    // A count of what the store told about this key, by changed() and, during a fill, lease_changed().
    std::uint16_t news(const Key& key);
    // For the holder of the fill lock while another machine fills: the next news of the key wakes `worker`. False:
    // there was news since news() returned `known`, so the caller must ask again at once.
    bool await_news(const Key& key, unsigned worker, std::uint16_t known);
    // Whether `domain`'s store tells us about changes. When that begins or ends, all entries of the domain become due
    // for a check.
    void set_told(unsigned domain, bool told);

    // Records a purge, and returns its sequence. Sequences are those of the domain's store. If `sequence` is 0, one
    // is drawn here: above all known ones, and, if the store's clock is known, a margin behind that clock, since the
    // store's next sequences must be higher. The store is then owed the purge until settle().
    std::uint64_t purge(unsigned domain, std::uint64_t tag, PurgeMode mode, std::uint64_t sequence, std::int64_t now_ms);
    // The store has recorded, as `sequence`, the purge for which `drawn` was drawn here (0: none was).
    void settle(unsigned domain, std::uint64_t tag, PurgeMode mode, std::uint64_t drawn, std::uint64_t sequence, std::int64_t now_ms);
    // Purges that the domain's store has not recorded yet. They apply to all entries that come from the store. At
    // most `most`.
    struct Owed {
        std::uint64_t tag;
        PurgeMode mode;
        std::uint64_t drawn;
    };
    std::vector<Owed> owed(unsigned domain, std::size_t most);
    // The store has lost its log: owes it again all hard purges from the sequence `since` on that this nginx has
    // given to it.
    void owe_again(unsigned domain, std::uint64_t since);
    // By how many ms the store's clock, from which it makes its sequences, is ahead of this machine's.
    void set_clock(unsigned domain, std::int64_t ahead_ms);
    // All entries with a fence below `sequence` count as softly purged.
    void raise_floor(unsigned domain, std::uint64_t sequence);
    // The sequence of the newest purge known: the fence of an entry whose render begins now. Takes no lock.
    std::uint64_t last_purge(unsigned domain) const;
    // The sequence up to which the store's log was read. It may be below last_purge(): some purges are made here, and
    // the log may have older ones that were not read yet. Both functions take no lock.
    std::uint64_t log_read(unsigned domain) const;
    void set_log_read(unsigned domain, std::uint64_t sequence);

    // Releases holds, fill locks and refresh leases of processes for which `alive(pid)` is false. Returns the workers
    // to wake.
    std::uint64_t sweep(const std::function<bool(int)>& alive);

    // The keys that workers were woken for. Each method that returns workers to wake first notes the key's
    // bucket_hash(). Calls f(hash) for those noted since `position`, and advances it. False: some were overwritten,
    // so wake everybody. Takes no lock.
    template <typename F>
    bool each_woken(std::uint64_t& position, F&& f) const;
    std::uint64_t woken_position() const { return woken().position.load(std::memory_order_acquire); }

    // The identity that the store has for itself (cache/wire/store_identity.hpp); 0: unknown. Both functions take no
    // lock.
    std::uint64_t store_identity(unsigned domain) const;
    void set_store_identity(unsigned domain, std::uint64_t identity);

    Stats& stats() const;
    Usage usage();
    // For tests. Walks everything: whether all blocks are reachable, and all links and counts are right.
    bool consistent();
    void set_coherence(Coherence coherence) { coherence_ = coherence; }

private:
    struct Root;
    struct Node;
    struct Segment;
    struct Block;
    struct Room;
    struct HoldSlot;
    struct PurgeSlot;
    struct List;
    class Guard;
    // The last keys whose waiters were woken.
    struct Woken {
        static constexpr std::size_t size = 256;
        std::atomic<std::uint64_t> position;  // number of keys noted so far; the newest is at (position - 1) % size
        std::atomic<std::uint64_t> hashes[size];
    };

    Root& root() const { return *root_; }
    Woken& woken() const;
    Node& node(Ref ref) const { return *static_cast<Node*>(arena_.at(ref)); }
    Segment& segment(Ref ref) const;
    Block& block(Ref ref) const;
    void lay_out() noexcept;
    void recover() noexcept;
    std::span<Ref> buckets() const;
    Ref& bucket(const Key& key) const;
    Ref find_node(const Key& key) const;
    Ref node_for(const Key& key);
    std::size_t evict_one();
    void unlink_node(Ref ref);
    void unlink(const List& list, Ref ref);
    void push(const List& list, Ref ref);
    void set_process(Ref ref, std::int32_t Node::*which, std::int32_t pid);
    void drop_entry(Node& n);
    void unreference(Ref block_ref);
    bool free_a_piece();
    Hold hold(Ref block_ref);
    void free_hold(Hold hold);
    bool make_room(Room& room);
    void add_piece(Room& room, Ref ref);
    Room make_block(unsigned domain, std::span<const std::uint64_t> hashes, std::span<const Part> parts, std::string_view prefix,
                    std::string_view body);
    bool due_for_check(const Node& n, const Block& b, std::int64_t now_ms, std::int64_t* until_ms) const;
    bool parts_unchanged(Block& assembled, std::int64_t now_ms);
    void touch(Ref ref, std::int64_t now_ms);
    void drop_assembled(Node& n);
    PurgeMark purge_mark(Block& b) const;
    PurgeMark find_mark(unsigned domain, std::uint64_t fence, std::span<const std::uint64_t> hashes) const;
    std::uint64_t fence_here(unsigned domain, std::uint64_t fence, std::span<const std::uint64_t> hashes) const;
    void set_owed(PurgeSlot& slot, std::uint64_t drawn, bool hard);
    std::span<PurgeSlot> purge_set(unsigned domain, std::uint64_t tag) const;
    template <typename F>
    void each_purge(F&& f);
    PurgeSlot* find_purge(unsigned domain, std::uint64_t tag) const;
    PurgeSlot* slot_for_purge(unsigned domain, std::uint64_t tag, std::uint64_t sequence);
    std::size_t max_block_bytes() const;
    std::span<HoldSlot> hold_slots() const;
    std::span<PurgeSlot> purge_slots() const;
    std::uint64_t take_waiters(const Node& n, std::uint64_t& waiters);
    std::uint64_t tell(Node& n);
    std::uint64_t end_fill(Ref ref);
    bool index_consistent() const;
    bool holds_consistent() const;
    bool blocks_consistent() const;

    Lock& lock_;
    Root* root_;
    Arena arena_;
    Coherence coherence_;
    int pid_;
};

template <typename F>
bool Zone::each_woken(std::uint64_t& position, F&& f) const {
    const Woken& w = woken();
    std::uint64_t from = position;
    position = woken_position();
    for (std::uint64_t at = from; at != position; at++) {
        std::uint64_t hash = w.hashes[at % Woken::size].load(std::memory_order_acquire);
        // The hash is being overwritten, or was.
        if (w.position.load(std::memory_order_acquire) - at >= Woken::size) return false;
        f(hash);
    }
    return true;
}

}  // namespace larder::near_cache
