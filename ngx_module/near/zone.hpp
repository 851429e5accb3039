// The near cache: hot entries, fill locks, refresh leases, the purge table and counters of one nginx, in shared memory.
//
// There is one node per variant, in a hash table and in the list of use, with the state of that variant. An entry is a block: a list
// of pieces of memory, of whatever sizes were free, so that storing it evicts about as many bytes as it has.
//
// Invariants:
//  - One lock guards everything but the contents of blocks, the counters and what is declared atomic.
//  - A critical section does a bounded number of steps: slice_steps allocations, evictions or visits. Longer work (making a
//    large block, sweep()) gives the lock up between slices. Only the recovery after a death inside a critical section walks
//    everything.
//  - The entry in a block never changes. It is copied in before a node refers to the block, and read while the block is held;
//    neither needs the lock.
//  - A block is freed when no node and no hold refers to it. Whoever makes one holds it from its first piece on.
//  - A list of pieces ends at a piece that is whole: a piece is linked once its own header is written. So what is held can be found
//    again after a death at any instruction.
//  - Nodes with a fill or a refresh in progress are in the list of claims; what a dead process held is found there and in the table
//    of holds, and released by sweep() in whatever process starts next.
//  - A death inside a critical section leaves `busy` set. The next to lock empties the cache, apart from blocks that are held,
//    rather than trust half-made links. That allocates nothing and can't fail.
//  - A purge that is dropped from the purge table raises its domain's floor first: what may have missed it counts as purged.
//
// Knows neither nginx nor a clock: lock and times are passed in. All times are Unix milliseconds. No method that a destructor
// may call throws (release, abandon).
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
inline constexpr unsigned max_domains = 32;   // stores, plus domain 0: entries that live in the near cache alone
inline constexpr unsigned slice_steps = 64;   // done under the lock without giving it up
inline constexpr unsigned max_workers = 64;   // that can be woken one by one; more share a bit

class Lock {
public:
    virtual ~Lock() = default;
    virtual void lock() = 0;
    virtual void unlock() = 0;
};

// What nginx counts. Values only grow.
enum class Counter : unsigned {
    hit, stale, miss, revalidated, coalesced, bypass, pass, error_stale, error,
    store_hit, store_miss, store_error, store_skipped, store_refused,
    stored, unstorable, jobs_queued, jobs_duplicate, jobs_failed, inline_refreshes, render_calls, purges, bad_entries, evictions, recoveries,
    purges_forgotten,
    count
};
const char* counter_name(Counter counter);

// Latency histograms: bucket i counts requests that took less than 2^i × 64 microseconds; the last has no bound.
inline constexpr unsigned latency_buckets = 20;
enum class LatencyClass : unsigned { hit, stale, backend, count };

struct Stats {
    std::atomic<std::uint64_t> counters[static_cast<unsigned>(Counter::count)];
    std::atomic<std::uint64_t> latency[static_cast<unsigned>(LatencyClass::count)][latency_buckets];
    std::atomic<std::uint64_t> latency_sum_us[static_cast<unsigned>(LatencyClass::count)];
    std::atomic<std::uint64_t> most_turn_work;  // of any worker (turn.hpp)
};

struct Usage {
    std::size_t total_bytes = 0, free_bytes = 0;
    std::uint32_t nodes = 0, entries = 0, holds = 0;
};

// An entry that can't go away until it is released. Index into the zone's table of holds; 0: none.
using Hold = std::uint32_t;

// What a zone knew of changes in the store when it told somebody to look there.
// Counts are of 16 bits, so that they fit into a node. They are compared for equality only, within seconds.
struct Check {
    std::uint16_t news = 0;
    std::uint16_t told_epoch = 0;
};

struct Found {
    Hold hold = 0;               // when there is an entry: release it
    std::string_view entry;      // its bytes, valid while held: all of them, or those of the first piece ...
    Ref rest = 0;                // ... and where the others are; 0: nowhere
    Verdict verdict = Verdict::dead;
    bool purged = false;         // stale because of a purge, whatever its own times say
    bool check_store = false;    // the store may have a newer one (told so, or not asked for long): look there, then checked()
    Check check;
    bool pass = false;           // known not to be storable: ask the backend, don't wait for each other
    std::uint64_t version = 0;   // of the entry in this zone; another value means another entry
    unsigned domain = 0;         // where the entry came from
    bool assembled = false;      // `entry` is the page with its fragments in place
};

enum class Fill : std::uint8_t {
    mine,   // you fetch it; end with insert(), pass() or abandon()
    wait,   // another request does; you will be woken
    pass,   // known not to be storable
};

class Zone {
public:
    // `memory` of `size` bytes, mapped shared, 16-byte aligned. `fresh`: nothing usable is in it, lay it out.
    Zone(void* memory, std::size_t size, Lock& lock, bool fresh);

    // How long a near entry is believed without asking its store: `told` while the store tells us about changes.
    struct Coherence {
        std::int64_t told_ms = 10'000;
        std::int64_t untold_ms = 1'000;
    };

    // The number of the domain with this identity (never 0): the same in every process, and after a reload. When more than 31
    // were ever asked for, the last ones share a number, which purges too much but never too little.
    unsigned domain_of(std::uint64_t identity);

    // `assembled`: an assembled page will do, as long as all its parts are what they were.
    Found find(const Key& key, std::int64_t now_ms, bool assembled = false);

    // The next bytes of a held entry; `rest` then says where those after it are. Takes no lock. Precondition: rest != 0.
    std::string_view next_piece(Ref& rest) const;
    // All of a held entry's bytes.
    std::string joined(std::string_view first, Ref rest) const;

    // A fragment as it stands in an assembled page.
    struct Part {
        Key key;
        std::uint64_t version;
    };
    // Keeps the page that the entry of this version gives with these parts; an entry without a plan, its prefix and body.
    // It is served only while the entry and every part are in the zone, fresh and unchanged.
    void keep_assembled(const Key& key, std::uint64_t version, std::string_view prefix, std::string_view body,
                        std::span<const Part> parts);
    void release(Hold hold);

    // At most one caller per `lease_ms` gets true: it has the stale entry regenerated. Extends nothing for the others.
    bool claim_refresh(const Key& key, std::int64_t now_ms, std::int64_t lease_ms);

    // Nobody regenerates it before then.
    void postpone_refresh(const Key& key, std::int64_t until_ms);

    // Whether one more variant of `base` may be made: it is there already or being made, or fewer than `most` were in the last hour.
    bool admit_variant(const Key& base, const Key& variant, std::int64_t now_ms, unsigned most);

    // The verdict on an entry that is not (yet) in this zone, with what the zone knows of its store's purges.
    struct Judged {
        Verdict verdict;
        bool purged;  // stale because of a purge, whatever its own times say
    };
    Judged judge_foreign(const EntryView& entry, unsigned domain, std::int64_t now_ms);

    // The purge that an answer with these purge hashes did not see, whose render began when `fence` was the newest.
    PurgeMark purge_since(unsigned domain, std::uint64_t fence, std::span<const std::uint64_t> hashes);

    // `worker` (0...) is woken by the caller of whatever ends the fill; the lock ends by itself after `lease_ms`.
    Fill claim_fill(const Key& key, unsigned worker, std::int64_t now_ms, std::int64_t lease_ms);

    // Puts an entry there (already checked; prefix followed by body is the whole entry), unless a younger one is there.
    // `stored` tells whether it fitted. Ends a fill (unless it is a stale entry `from_store`: that is not what others wait for).
    // Returns the workers that wait for that, as a bit mask.
    std::uint64_t insert(const Key& key, unsigned domain, std::string_view prefix, std::string_view body, std::int64_t now_ms,
                         bool* stored = nullptr, bool from_store = false);
    // Whether an entry of so many bytes may be inserted at all.
    bool fits(std::size_t bytes) const { return bytes <= max_block_bytes(); }
    // Remembers for `for_ms` that answers for this key can't be stored. Ends a fill.
    std::uint64_t pass(const Key& key, std::int64_t now_ms, std::int64_t for_ms);
    // Drops the entry: the backend has taken its page back.
    void forget(const Key& key);
    // Ends a fill without a result.
    std::uint64_t abandon(const Key& key);

    // The store was asked after find() had said so, and answered: the entry here is as new as what `check` knew of. Without
    // this call the entry stays due, and somebody else is told to ask.
    void checked(const Key& key, const Check& check, std::int64_t now_ms);

    // The store says that this entry changed there. Returns the workers to wake: see await_news().
    std::uint64_t changed(const Key& key);
    // The store says that the lease for a fill of this key was taken or given back. The same.
    std::uint64_t lease_changed(const Key& key);
    // How often the store has told of this key, by changed() or, while it is being filled, by lease_changed().
    std::uint16_t news(const Key& key);
    // For who holds the fill lock while another machine fills: `worker` is woken by the next news. False: there was some since
    // there were `known`, so that it has to look again at once.
    bool await_news(const Key& key, unsigned worker, std::uint16_t known);
    // Whether `domain`'s store tells us about changes. Losing that makes every entry of it due for a check.
    void set_told(unsigned domain, bool told);

    // Purges. Sequences are those of the domain's store. 0 as `sequence` draws one: above all known ones, and if the store's clock is
    // known, close to its time, but never ahead of it, as the store's next sequences must be above it; the store is owed the purge
    // then, until settle(). Returns the sequence.
    std::uint64_t purge(unsigned domain, std::uint64_t tag, PurgeMode mode, std::uint64_t sequence, std::int64_t now_ms);
    // The store has taken the purge that drew `drawn` (0: none was drawn), as `sequence`.
    void settle(unsigned domain, std::uint64_t tag, PurgeMode mode, std::uint64_t drawn, std::uint64_t sequence, std::int64_t now_ms);
    // Purges that the domain's store has not taken. They count for all entries that come from the store.
    struct Owed {
        std::uint64_t tag;
        PurgeMode mode;
        std::uint64_t drawn;
    };
    std::vector<Owed> owed(unsigned domain, std::size_t most);
    // The store has lost its log. It is owed again what was purged hard through this nginx, from the sequence `since` on.
    void owe_again(unsigned domain, std::uint64_t since);
    // How far the store's clock, which its sequences are times of, is ahead of this machine's.
    void set_clock(unsigned domain, std::int64_t ahead_ms);
    // Everything whose render knew no purge from `sequence` on counts as purged (softly).
    void raise_floor(unsigned domain, std::uint64_t sequence);
    // The newest purge known: what an entry whose render begins now has as its fence. Takes no lock.
    std::uint64_t last_purge(unsigned domain) const;
    // Up to which sequence the store's log was read: not the same as the newest purge known, as some are made here, and
    // older ones from elsewhere may come to be read after them. Take no lock.
    std::uint64_t log_read(unsigned domain) const;
    void set_log_read(unsigned domain, std::uint64_t sequence);

    // Releases what processes that no longer exist had held, locks and leases too. Returns the workers that waited for those.
    std::uint64_t sweep(const std::function<bool(int)>& alive);

    // What workers are woken for: each method that returns workers to wake notes the key's bucket_hash() first. Calls f(hash) for
    // those noted since `position`, which is advanced. False: there were more than are remembered. Takes no lock.
    template <typename F>
    bool each_woken(std::uint64_t& position, F&& f) const;
    std::uint64_t woken_position() const { return woken().position.load(std::memory_order_acquire); }

    // What the domain's store calls itself (cache/wire/store_identity.hpp); 0: not known yet. Take no lock.
    std::uint64_t store_identity(unsigned domain) const;
    void set_store_identity(unsigned domain, std::uint64_t identity);

    Stats& stats() const;
    Usage usage();
    // Walks everything: every block is reachable, every link and every count is right. For tests.
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
        std::atomic<std::uint64_t> position;  // how many there were; the newest is at (position - 1) % size
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
        // Overwritten, or about to be.
        if (w.position.load(std::memory_order_acquire) - at >= Woken::size) return false;
        f(hash);
    }
    return true;
}

}  // namespace larder::near_cache
