// Implementation of the near cache's structures in shared memory.
#include "zone.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace larder::near_cache {

namespace {

constexpr std::uint64_t zone_magic = 0x34656e6f5a72644c;
constexpr std::int64_t clock_tolerance_ms = 10'000;  // subtracted from the estimate of the store's clock
constexpr std::int64_t touch_interval_ms = 1000;  // precision of the LRU order
constexpr std::size_t min_piece_bytes = 1024;     // smallest piece of a block, unless the entry ends there
constexpr std::size_t whole_prefix_bytes = 4096;  // a prefix up to this size is never split
constexpr std::size_t purge_ways = 16;            // associativity of the purge table
constexpr std::int64_t check_interval_ms = 1000;  // how long one caller has to ask the store, before another one is told to

std::size_t aligned(std::size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

template <typename T>
T clamp_power_of_two(std::size_t wanted, T low, T high) {
    return std::clamp(static_cast<T>(std::bit_floor(std::max<std::size_t>(1, wanted))), low, high);
}

}  // namespace

struct Zone::HoldSlot {
    Ref block;
    std::int32_t pid;  // 0: free. Written last, so a slot with a pid always names a block
    Hold next_free;
};

struct Zone::PurgeSlot {
    std::uint64_t tag;
    std::uint64_t soft, hard;  // newest sequences; both 0: empty slot
    std::uint64_t owed;        // drawn sequence of a purge that the store has not recorded; 0: none
    std::uint32_t domain;
    bool owed_hard;            // ... and that purge is hard
    bool given;                // the store has recorded a purge of this tag that we gave it

    bool empty() const { return soft == 0 && hard == 0; }
    std::uint64_t newest() const { return std::max(soft, hard); }
};

struct Zone::Root {
    std::uint64_t magic;
    std::atomic<std::uint32_t> busy;  // set inside critical sections; if it is set when the lock is taken, a process died there
    std::uint32_t bucket_count, hold_count, purge_count;
    std::uint64_t buckets_at, holds_at, purges_at, arena_at;  // offsets from the root in bytes
    std::uint64_t arena_size;

    struct Ends {
        Ref first, last;
    } used, claims;   // nodes by last use, latest first; nodes with a fill or refresh in progress
    Ref garbage;      // list of blocks to be freed, linked by next_garbage
    Hold first_free_hold;
    std::uint32_t nodes, entries, holds, claimed;
    std::uint64_t versions;  // the last version assigned
    std::uint64_t epoch;     // raised when anything changes that an assembled page may depend on
    struct Domain {
        std::uint64_t identity;
        std::atomic<std::uint64_t> last_purge, log_read, store_identity;
        std::uint64_t newest_fence;  // of all entries that came from the store
        std::atomic<std::uint32_t> owed;  // number of purge slots with `owed`
        std::int64_t clock_ahead_ms;  // the store's clock minus this machine's
        bool clock_known;
        std::uint64_t purges;  // purges learned of so far; their sequences may be in any order
        std::uint64_t soft_floor, hard_floor;
        std::uint32_t told_epoch;  // raised when the store begins or stops to tell us of changes
        bool told;
    } domains[max_domains];
    Woken woken;
    Stats stats;
};

struct Zone::Node {
    Key key;
    Ref next_in_bucket, used_previous, used_next, claim_previous, claim_next;
    Ref entry;               // 0: none
    Ref assembled;           // page assembled from this entry; 0: none
    std::uint32_t variants;  // variants of this key made since variants_since_ms
    std::int64_t variants_since_ms;
    std::int64_t used_ms, checked_ms, refresh_after_ms, pass_until_ms, fill_until_ms;
    std::int64_t check_began_ms;  // when a caller was told to ask the store; 0: nobody is asking
    Check asked;                  // ... with this knowledge
    std::uint16_t news;           // how often the store told of a change or, during a fill, of the lease
    std::uint16_t checked_news;   // `news` as of the store's last answer
    std::int32_t fill_pid, refresh_pid;  // process that does it; 0: none. In the list of claims if either is set
    std::uint64_t waiters;
    std::uint64_t news_waiters;  // workers with a fill that waits for another machine's
    std::uint64_t version;

    bool is_claimed() const { return fill_pid != 0 || refresh_pid != 0; }
};

// A doubly linked list of nodes: where the root has its ends, and nodes their links.
struct Zone::List {
    Root::Ends Root::*ends;
    Ref Node::*previous;
    Ref Node::*next;

    static const List used, claims;
};
constexpr Zone::List Zone::List::used{&Root::used, &Node::used_previous, &Node::used_next};
constexpr Zone::List Zone::List::claims{&Root::claims, &Node::claim_previous, &Node::claim_next};

// A piece of a block: this header, then bytes of the entry.
struct Zone::Segment {
    Ref next;  // 0: the last piece
    std::uint32_t size;

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
};

// The first piece of a block: this header, the purge hashes, the parts of an assembled page, the beginning of the
// entry.
struct Zone::Block : Segment {
    std::uint32_t references;  // by the node and by holds
    std::uint32_t entry_size;
    std::uint32_t domain;
    std::uint32_t told_epoch;
    std::uint64_t purges_seen;  // value of Domain::purges for which `mark` was computed
    PurgeMark mark;
    Lifetime life;
    std::uint64_t fence;
    std::int64_t created_ms;
    std::uint16_t hash_count, part_count;
    Ref next_garbage;
    // For an assembled page: the epoch in which its parts were last checked, and how long that holds within the
    // epoch.
    std::uint64_t checked_epoch;
    std::int64_t unchanged_until_ms;

    std::uint64_t* hashes() { return reinterpret_cast<std::uint64_t*>(this + 1); }
    Part* parts() { return reinterpret_cast<Part*>(hashes() + hash_count); }
    char* bytes() { return reinterpret_cast<char*>(parts() + part_count); }
};

namespace {

// A process may be killed between any two instructions, so writes before this must not be reordered with those after
// it. A death makes memory visible to other processors, so a barrier for the compiler suffices.
void in_this_order() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace

class Zone::Guard {
public:
    explicit Guard(Zone& zone) : zone_(zone) {
        zone_.lock_.lock();
        if (busy().load(std::memory_order_relaxed) != 0) zone_.recover();
        busy().store(1, std::memory_order_relaxed);
        in_this_order();
    }
    ~Guard() {
        in_this_order();
        busy().store(0, std::memory_order_relaxed);
        zone_.lock_.unlock();
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

private:
    std::atomic<std::uint32_t>& busy() const { return zone_.root().busy; }

    Zone& zone_;
};

const char* counter_name(Counter counter) {
    static constexpr const char* names[] = {
        "hit",         "stale",        "miss", "revalidated",        "coalesced",   "bypass",         "pass", "error_stale",
        "error",       "store_hit",    "store_miss",  "store_error", "store_skipped", "store_refused",  "stored",      "unstorable",  "jobs_queued",
        "jobs_duplicate", "jobs_failed", "inline_refreshes", "render_calls", "purges", "bad_entries", "evictions", "recoveries", "purges_forgotten"};
    static_assert(std::size(names) == static_cast<std::size_t>(Counter::count));
    return names[static_cast<unsigned>(counter)];
}

Zone::Segment& Zone::segment(Ref ref) const {
    return *static_cast<Segment*>(arena_.at(ref));
}

Zone::Block& Zone::block(Ref ref) const {
    return *static_cast<Block*>(arena_.at(ref));
}

Zone::Woken& Zone::woken() const {
    return root().woken;
}

Zone::Zone(void* memory, std::size_t size, Lock& lock, bool fresh)
    : lock_(lock), root_(static_cast<Root*>(memory)), arena_(nullptr, 0), pid_(::getpid()) {
    if (fresh || root_->magic != zone_magic) {
        static_assert(sizeof(Node) <= 144 && sizeof(Block) == 128, "the memory that an entry takes");
        std::memset(memory, 0, aligned(sizeof(Root)));
        Root& r = *new (memory) Root{};
        r.bucket_count = clamp_power_of_two<std::uint32_t>(size / 2048, 256, 1u << 24);
        r.hold_count = clamp_power_of_two<std::uint32_t>(size / 16384, 1024, 1u << 18);
        r.purge_count = clamp_power_of_two<std::uint32_t>(size / 1024, 1024, 1u << 15);
        r.buckets_at = aligned(sizeof(Root));
        r.holds_at = r.buckets_at + aligned(r.bucket_count * sizeof(Ref));
        r.purges_at = r.holds_at + aligned((r.hold_count + 1) * sizeof(HoldSlot));
        r.arena_at = r.purges_at + aligned(r.purge_count * sizeof(PurgeSlot));
        r.arena_size = size - r.arena_at;
        std::memset(static_cast<char*>(memory) + r.buckets_at, 0, r.arena_at - r.buckets_at);
    }
    arena_ = Arena(static_cast<char*>(memory) + root_->arena_at, root_->arena_size);
    if (root_->magic != zone_magic) {
        lay_out();
        root_->magic = zone_magic;
    }
}

std::span<Ref> Zone::buckets() const {
    return {reinterpret_cast<Ref*>(reinterpret_cast<char*>(root_) + root_->buckets_at), root_->bucket_count};
}

std::span<Zone::HoldSlot> Zone::hold_slots() const {
    return {reinterpret_cast<HoldSlot*>(reinterpret_cast<char*>(root_) + root_->holds_at), root_->hold_count + 1};
}

std::span<Zone::PurgeSlot> Zone::purge_slots() const {
    return {reinterpret_cast<PurgeSlot*>(reinterpret_cast<char*>(root_) + root_->purges_at), root_->purge_count};
}

// Empties index, lists and arena, except for held blocks, whose references are counted again. Can be repeated if it
// was interrupted.
void Zone::lay_out() noexcept {
    Root& r = root();
    std::fill(buckets().begin(), buckets().end(), 0);
    r.used = r.claims = {};
    r.garbage = 0;
    r.nodes = r.entries = r.holds = r.claimed = 0;
    r.first_free_hold = 0;
    for (HoldSlot& slot : hold_slots().subspan(1)) {
        if (slot.pid != 0) block(slot.block).references = 0;
    }
    Ref kept = 0;
    for (Hold h = r.hold_count; h > 0; h--) {
        HoldSlot& slot = hold_slots()[h];
        if (slot.pid != 0) {
            r.holds++;
            if (block(slot.block).references++ != 0) continue;
            for (Ref ref = slot.block; ref != 0; ref = segment(ref).next) kept = arena_.keep(ref, kept);
        } else {
            slot.next_free = r.first_free_hold;
            r.first_free_hold = h;
        }
    }
    arena_.reset(kept);
}

void Zone::recover() noexcept {
    lay_out();
    stats().counters[static_cast<unsigned>(Counter::recoveries)].fetch_add(1, std::memory_order_relaxed);
}

// One entry takes at most a quarter of the memory.
std::size_t Zone::max_block_bytes() const {
    return std::min<std::size_t>(root().arena_size / 4, std::numeric_limits<std::uint32_t>::max());
}

Ref& Zone::bucket(const Key& key) const {
    return buckets()[key.bucket_hash() & (root_->bucket_count - 1)];
}

Ref Zone::find_node(const Key& key) const {
    for (Ref ref = bucket(key); ref != 0; ref = node(ref).next_in_bucket) {
        if (node(ref).key == key) return ref;
    }
    return 0;
}

void Zone::unlink(const List& list, Ref ref) {
    Node& n = node(ref);
    Root::Ends& ends = root().*list.ends;
    (n.*list.previous != 0 ? node(n.*list.previous).*list.next : ends.first) = n.*list.next;
    (n.*list.next != 0 ? node(n.*list.next).*list.previous : ends.last) = n.*list.previous;
}

void Zone::push(const List& list, Ref ref) {
    Node& n = node(ref);
    Root::Ends& ends = root().*list.ends;
    n.*list.previous = 0;
    n.*list.next = ends.first;
    (ends.first != 0 ? node(ends.first).*list.previous : ends.last) = ref;
    ends.first = ref;
}

// Notes which process fills or refreshes; pid 0: none. Keeps the list of claims up to date.
void Zone::set_process(Ref ref, std::int32_t Node::*which, std::int32_t pid) {
    Node& n = node(ref);
    bool was_claimed = n.is_claimed();
    n.*which = pid;
    if (n.is_claimed() == was_claimed) return;
    if (was_claimed) {
        unlink(List::claims, ref);
        root().claimed--;
    } else {
        push(List::claims, ref);
        root().claimed++;
    }
}

Ref Zone::node_for(const Key& key) {
    if (Ref ref = find_node(key)) return ref;
    Ref ref = arena_.allocate(sizeof(Node));
    for (unsigned step = 0; ref == 0 && step < slice_steps; step++) {
        if (!free_a_piece() && evict_one() == 0) return 0;
        ref = arena_.allocate(sizeof(Node));
    }
    if (ref == 0) return 0;
    Node& n = *new (arena_.at(ref)) Node{};
    n.key = key;
    n.next_in_bucket = bucket(key);
    bucket(key) = ref;
    push(List::used, ref);
    root().nodes++;
    return ref;
}

// Evicts the least recently used node that is not being filled. Returns the bytes that it and its entry had; 0 if
// none of the 16 oldest nodes can be evicted.
std::size_t Zone::evict_one() {
    for (int looked = 0; looked < 16; looked++) {
        Ref ref = root().used.last;
        if (ref == 0) return 0;
        const Node& n = node(ref);
        if (n.fill_until_ms == 0) {
            std::size_t bytes = sizeof(Node);
            for (Ref b : {n.entry, n.assembled}) bytes += b != 0 ? sizeof(Block) + block(b).entry_size : 0;
            unlink_node(ref);
            stats().counters[static_cast<unsigned>(Counter::evictions)].fetch_add(1, std::memory_order_relaxed);
            return bytes;
        }
        unlink(List::used, ref);
        push(List::used, ref);
    }
    return 0;
}

void Zone::unlink_node(Ref ref) {
    Node& n = node(ref);
    drop_entry(n);
    set_process(ref, &Node::fill_pid, 0);
    set_process(ref, &Node::refresh_pid, 0);
    Ref* link = &bucket(n.key);
    while (*link != ref) link = &node(*link).next_in_bucket;
    *link = n.next_in_bucket;
    unlink(List::used, ref);
    arena_.free(ref);
    root().nodes--;
}

void Zone::drop_assembled(Node& n) {
    if (n.assembled != 0) unreference(std::exchange(n.assembled, 0));
}

void Zone::drop_entry(Node& n) {
    drop_assembled(n);
    if (n.entry == 0) return;
    root().epoch++;
    unreference(n.entry);
    n.entry = 0;
    root().entries--;
}

// Releases a reference. A block of many pieces is not freed at once, but piece by piece when memory is needed.
void Zone::unreference(Ref ref) {
    Block& b = block(ref);
    if (--b.references != 0) return;
    if (b.next == 0) return arena_.free(ref);
    b.next_garbage = root().garbage;
    root().garbage = ref;
    for (unsigned freed = 0; freed < slice_steps / 4 && root().garbage == ref; freed++) free_a_piece();
}

// Frees one piece of garbage. False: there is none.
bool Zone::free_a_piece() {
    Ref ref = root().garbage;
    if (ref == 0) return false;
    Block& b = block(ref);
    if (Ref second = b.next) {
        b.next = segment(second).next;
        arena_.free(second);
    } else {
        root().garbage = b.next_garbage;
        arena_.free(ref);
    }
    return true;
}

Hold Zone::hold(Ref ref) {
    Root& r = root();
    Hold h = r.first_free_hold;
    if (h == 0) return 0;
    HoldSlot& slot = hold_slots()[h];
    r.first_free_hold = slot.next_free;
    slot.block = ref;
    in_this_order();
    slot.pid = pid_;
    block(ref).references++;
    r.holds++;
    return h;
}

unsigned Zone::domain_of(std::uint64_t identity) {
    Guard guard(*this);
    if (identity == 0) identity = 1;  // 0 marks a free domain
    unsigned number = 1;
    for (; number < max_domains - 1; number++) {
        Root::Domain& domain = root().domains[number];
        if (domain.identity == 0) domain.identity = identity;
        if (domain.identity == identity) break;
    }
    return number;
}

void Zone::release(Hold h) {
    if (h == 0) return;
    Guard guard(*this);
    HoldSlot& slot = hold_slots()[h];
    // After a recovery or a sweep() that took this process for dead, the slot may belong to another process.
    if (slot.pid == pid_) free_hold(h);
}

void Zone::free_hold(Hold h) {
    HoldSlot& slot = hold_slots()[h];
    slot.pid = 0;
    in_this_order();
    slot.next_free = root().first_free_hold;
    root().first_free_hold = h;
    root().holds--;
    unreference(slot.block);
}

void Zone::touch(Ref ref, std::int64_t now_ms) {
    node(ref).used_ms = now_ms;
    unlink(List::used, ref);
    push(List::used, ref);
}

// Whether the store should be asked about the entry now. If not, sets *until_ms to when it should be.
bool Zone::due_for_check(const Node& n, const Block& b, std::int64_t now_ms, std::int64_t* until_ms) const {
    if (b.domain == 0) {
        *until_ms = std::numeric_limits<std::int64_t>::max();
        return false;
    }
    const Root::Domain& domain = root().domains[b.domain];
    bool asking = n.asked.news == n.news && n.asked.told_epoch == static_cast<std::uint16_t>(domain.told_epoch);
    if (asking && now_ms >= n.check_began_ms && now_ms - n.check_began_ms < check_interval_ms) {
        *until_ms = n.check_began_ms + check_interval_ms;
        return false;  // one caller asks, the others use what is here
    }
    *until_ms = n.checked_ms + (domain.told ? coherence_.told_ms : coherence_.untold_ms);
    return n.news != n.checked_news || b.told_epoch != domain.told_epoch || now_ms >= *until_ms ||
           now_ms < n.checked_ms || now_ms < n.check_began_ms;
}

bool Zone::parts_unchanged(Block& assembled, std::int64_t now_ms) {
    if (assembled.checked_epoch == root().epoch && now_ms < assembled.unchanged_until_ms) return true;
    std::int64_t until_ms = std::numeric_limits<std::int64_t>::max();
    for (std::uint32_t i = 0; i < assembled.part_count; i++) {
        const Part& part = assembled.parts()[i];
        Ref ref = find_node(part.key);
        if (ref == 0 || node(ref).entry == 0 || node(ref).version != part.version) return false;
        Block& b = block(node(ref).entry);
        std::int64_t check_ms;
        if (judge(b.life, purge_mark(b), now_ms) != Verdict::fresh || due_for_check(node(ref), b, now_ms, &check_ms)) return false;
        until_ms = std::min({until_ms, check_ms, b.life.base_ms + b.life.fresh_ms});
        if (now_ms - node(ref).used_ms >= touch_interval_ms) touch(ref, now_ms);
    }
    assembled.checked_epoch = root().epoch;
    // At most the touch interval: parts must not be evicted as unused while a hot page contains them.
    assembled.unchanged_until_ms = std::min(until_ms, now_ms + touch_interval_ms);
    return true;
}

Found Zone::find(const Key& key, std::int64_t now_ms, bool assembled) {
    Guard guard(*this);
    Found found;
    Ref ref = find_node(key);
    if (ref == 0) return found;
    Node& n = node(ref);
    if (now_ms - n.used_ms >= touch_interval_ms) touch(ref, now_ms);
    found.pass = n.pass_until_ms > now_ms;
    if (n.entry == 0) {
        n.checked_news = n.news;  // the caller will ask the store now
        return found;
    }
    Block& b = block(n.entry);
    PurgeMark mark = purge_mark(b);
    found.verdict = judge(b.life, mark, now_ms);
    found.purged = mark.mode != PurgeMode::none && found.verdict != Verdict::fresh;
    if (found.verdict == Verdict::dead) {
        drop_entry(n);
        return found;
    }
    std::int64_t check_ms;
    found.check_store = due_for_check(n, b, now_ms, &check_ms);
    if (found.check_store) {
        n.check_began_ms = now_ms;
        found.check = n.asked = {n.news, static_cast<std::uint16_t>(root().domains[b.domain].told_epoch)};
    }
    Ref shown = n.entry;
    if (assembled && n.assembled != 0 && found.verdict == Verdict::fresh && !found.check_store) {
        found.assembled = parts_unchanged(block(n.assembled), now_ms);
        if (found.assembled) shown = n.assembled;
        else drop_assembled(n);
    }
    found.hold = hold(shown);
    if (found.hold == 0) {  // no free slot, as too many answers are being sent: treat it as a miss
        found.verdict = Verdict::dead;
        return found;
    }
    found.entry = {block(shown).bytes(), block(shown).size};
    found.rest = block(shown).next;
    found.version = n.version;
    found.domain = b.domain;
    return found;
}

std::string_view Zone::next_piece(Ref& rest) const {
    Segment& piece = segment(rest);
    rest = piece.next;
    return {piece.bytes(), piece.size};
}

std::string Zone::joined(std::string_view first, Ref rest) const {
    std::string bytes(first);
    while (rest != 0) bytes.append(next_piece(rest));
    return bytes;
}

bool Zone::claim_refresh(const Key& key, std::int64_t now_ms, std::int64_t lease_ms) {
    Guard guard(*this);
    Ref ref = node_for(key);
    if (ref == 0) return false;
    Node& n = node(ref);
    if (n.refresh_after_ms > now_ms) return false;
    n.refresh_after_ms = now_ms + lease_ms;
    set_process(ref, &Node::refresh_pid, pid_);
    return true;
}

bool Zone::admit_variant(const Key& base, const Key& variant, std::int64_t now_ms, unsigned most) {
    constexpr std::int64_t hour_ms = 3'600'000;
    Guard guard(*this);
    Ref known = find_node(variant);
    if (known != 0 && (node(known).entry != 0 || node(known).fill_until_ms > now_ms)) return true;
    Ref ref = node_for(base);
    if (ref == 0) return false;
    Node& n = node(ref);
    if (now_ms - n.variants_since_ms >= hour_ms) {
        n.variants_since_ms = now_ms;
        n.variants = 0;
    }
    if (n.variants >= most) return false;
    n.variants++;
    return true;
}

Fill Zone::claim_fill(const Key& key, unsigned worker, std::int64_t now_ms, std::int64_t lease_ms) {
    Guard guard(*this);
    Ref ref = node_for(key);
    if (ref == 0) return Fill::pass;
    Node& n = node(ref);
    if (n.pass_until_ms > now_ms) return Fill::pass;
    if (n.fill_until_ms > now_ms) {
        n.waiters |= std::uint64_t{1} << worker % max_workers;
        return Fill::wait;
    }
    n.fill_until_ms = now_ms + lease_ms;
    set_process(ref, &Node::fill_pid, pid_);
    return Fill::mine;
}

// Takes the waiters, and notes the key for each_woken().
std::uint64_t Zone::take_waiters(const Node& n, std::uint64_t& waiters) {
    if (waiters == 0) return 0;
    Woken& w = woken();
    std::uint64_t position = w.position.load(std::memory_order_relaxed);
    w.hashes[position % Woken::size].store(n.key.bucket_hash(), std::memory_order_release);
    w.position.store(position + 1, std::memory_order_release);
    return std::exchange(waiters, 0);
}

std::uint64_t Zone::end_fill(Ref ref) {
    Node& n = node(ref);
    n.fill_until_ms = 0;
    set_process(ref, &Node::fill_pid, 0);
    n.news_waiters = 0;
    return take_waiters(n, n.waiters);
}

// A block under construction.
struct Zone::Room {
    std::size_t before;       // bytes before the entry: header, hashes, parts
    std::size_t prefix;       // bytes of the entry's prefix
    std::size_t size;         // bytes of the entry
    std::uint16_t hash_count, part_count;
    unsigned domain;
    std::size_t left = size;  // bytes of the entry without memory so far
    std::size_t evicted = 0;
    Ref first = 0, last = 0;
    Hold held = 0;
};

// Appends a piece. The first one is held at once, so that it can be found if this process dies.
void Zone::add_piece(Room& room, Ref ref) {
    std::size_t overhead = room.first == 0 ? room.before : sizeof(Segment);
    auto size = static_cast<std::uint32_t>(std::min(room.left, arena_.block_bytes(ref) - overhead));
    if (room.first == 0) {
        Block& b = *new (arena_.at(ref)) Block{};
        b.size = size;
        b.entry_size = static_cast<std::uint32_t>(room.size);
        b.domain = room.domain;
        b.told_epoch = root().domains[room.domain].told_epoch;
        b.hash_count = room.hash_count;
        b.part_count = room.part_count;
        room.held = hold(ref);
        if (room.held == 0) return arena_.free(ref);
        room.first = ref;
    } else {
        new (arena_.at(ref)) Segment{0, size};
        in_this_order();
        segment(room.last).next = ref;
    }
    room.last = ref;
    room.left -= size;
}

// One slice of the search for memory. False: done, or hopeless. First choice is a piece that fits everything. Once as
// many bytes as needed were evicted and none fits, take the largest free pieces. Then evict further, within a bound,
// because evicted blocks are not free while they are being sent, and others take some of the memory.
bool Zone::make_room(Room& room) {
    Guard guard(*this);
    const std::size_t most_evicted = 2 * (room.before + room.size) + 64 * min_piece_bytes;
    for (unsigned step = 0; step < slice_steps; step++) {
        std::size_t overhead = room.first == 0 ? room.before : sizeof(Segment);
        Ref ref = arena_.allocate(overhead + room.left);
        if (ref == 0 && room.evicted >= room.before + room.size) {
            std::size_t least = min_piece_bytes;
            if (room.first == 0 && room.prefix <= whole_prefix_bytes) least = std::max(least, room.prefix);
            ref = arena_.allocate_largest(overhead + room.left, overhead + std::min(room.left, least));
        }
        if (ref != 0) {
            add_piece(room, ref);
            if (room.held == 0 || room.left == 0) return false;
        } else if (!free_a_piece()) {
            std::size_t bytes = room.evicted <= most_evicted ? evict_one() : 0;
            if (bytes == 0) return false;
            room.evicted += bytes;
        }
    }
    return true;
}

namespace {

// Writes a sequence of texts into the consecutive pieces of a block.
template <typename NextPiece>
class PieceWriter {
public:
    PieceWriter(char* at, std::size_t room, NextPiece next) : at_(at), room_(room), next_(next) {}
    void write(std::string_view text) {
        while (!text.empty()) {
            if (room_ == 0) std::tie(at_, room_) = next_();
            std::size_t size = std::min(text.size(), room_);
            std::memcpy(at_, text.data(), size);
            at_ += size;
            room_ -= size;
            text.remove_prefix(size);
        }
    }

private:
    char* at_;
    std::size_t room_;
    NextPiece next_;
};

}  // namespace

// Makes a block with everything copied in, referenced only by `held`. If `held` is 0 there was no room.
Zone::Room Zone::make_block(unsigned domain, std::span<const std::uint64_t> hashes, std::span<const Part> parts,
                            std::string_view prefix, std::string_view body) {
    Room room{.before = sizeof(Block) + hashes.size_bytes() + parts.size_bytes(),
              .prefix = prefix.size(),
              .size = prefix.size() + body.size(),
              .hash_count = static_cast<std::uint16_t>(hashes.size()),
              .part_count = static_cast<std::uint16_t>(parts.size()),
              .domain = domain};
    constexpr std::size_t most = std::numeric_limits<std::uint16_t>::max();
    if (room.before + room.size > max_block_bytes() || hashes.size() > most || parts.size() > most) return room;
    while (make_room(room)) {
    }
    if (room.left != 0) {
        release(std::exchange(room.held, 0));
        room.first = room.last = 0;  // may belong to others from now on
        return room;
    }
    EntryHead head;
    std::memcpy(&head, prefix.data(), sizeof head);
    Block& b = block(room.first);
    b.life = head.life;
    b.fence = head.fence;
    b.created_ms = head.created_ms;
    std::copy(hashes.begin(), hashes.end(), b.hashes());
    std::copy(parts.begin(), parts.end(), b.parts());
    PieceWriter writer(b.bytes(), b.size, [this, rest = b.next]() mutable {
        Segment& piece = segment(rest);
        rest = piece.next;
        return std::pair<char*, std::size_t>(piece.bytes(), piece.size);
    });
    writer.write(prefix);
    writer.write(body);
    return room;
}

std::uint64_t Zone::insert(const Key& key, unsigned domain, std::string_view prefix, std::string_view body,
                           std::int64_t now_ms, bool* stored, bool from_store) {
    std::vector<std::uint64_t> hashes;
    each_purge_hash(EntryView::trusted(prefix), [&hashes](std::uint64_t hash) { hashes.push_back(hash); });
    const EntryHead head = EntryView::trusted(prefix).head();
    if (stored != nullptr) *stored = false;
    const Room made = make_block(domain, hashes, {}, prefix, body);
    std::uint64_t waiters = 0;
    {
        Guard guard(*this);
        bool ends_fill = true;
        if (from_store) {
            Root::Domain& d = root().domains[domain];
            const PurgeMark mark = find_mark(domain, fence_here(domain, head.fence, hashes), hashes);
            ends_fill = judge(head.life, mark, now_ms) == Verdict::fresh;
            d.newest_fence = std::max(d.newest_fence, head.fence);
            if (made.held != 0) {
                block(made.first).mark = mark;
                block(made.first).purges_seen = d.purges;
            }
        }
        Ref ref = made.held != 0 ? node_for(key) : find_node(key);
        if (ref != 0) {
            Node& n = node(ref);
            bool older = false;
            if (n.entry != 0) {
                const Block& present = block(n.entry);
                // Fences of another store can't be compared; an entry from one is there if the location's store was
                // changed.
                older = present.domain == domain &&
                        (present.fence > head.fence ||
                         (present.fence == head.fence && present.created_ms > head.created_ms));
            }
            // An entry that is too large also removes the old one, which would otherwise stay stale as long as the
            // page is that large.
            if ((made.held != 0 || made.before + made.size > max_block_bytes()) && !older) drop_entry(n);
            if (made.held != 0 && !older) {
                n.entry = made.first;
                block(made.first).references++;
                n.version = ++root().versions;
                n.checked_ms = n.used_ms = now_ms;  // `news` stays unchecked, as it may be newer than this entry
                n.check_began_ms = 0;
                n.pass_until_ms = 0;
                n.refresh_after_ms = 0;
                set_process(ref, &Node::refresh_pid, 0);
                root().entries++;
                root().epoch++;
                if (stored != nullptr) *stored = true;
            }
            if (ends_fill) waiters = end_fill(ref);
        }
    }
    release(made.held);
    return waiters;
}

void Zone::keep_assembled(const Key& key, std::uint64_t version, std::string_view prefix, std::string_view body,
                          std::span<const Part> parts) {
    const Room made = make_block(0, {}, parts, prefix, body);
    if (made.held == 0) return;
    {
        Guard guard(*this);
        Ref ref = find_node(key);
        if (ref != 0 && node(ref).entry != 0 && node(ref).version == version) {
            drop_assembled(node(ref));
            node(ref).assembled = made.first;
            block(made.first).references++;
        }
    }
    release(made.held);
}

std::uint64_t Zone::pass(const Key& key, std::int64_t now_ms, std::int64_t for_ms) {
    Guard guard(*this);
    Ref ref = node_for(key);
    if (ref == 0) return 0;
    node(ref).pass_until_ms = now_ms + for_ms;
    return end_fill(ref);
}

void Zone::forget(const Key& key) {
    Guard guard(*this);
    if (Ref ref = find_node(key)) drop_entry(node(ref));
}

std::uint64_t Zone::abandon(const Key& key) {
    Guard guard(*this);
    Ref ref = find_node(key);
    return ref != 0 ? end_fill(ref) : 0;
}

void Zone::checked(const Key& key, const Check& check, std::int64_t now_ms) {
    Guard guard(*this);
    Ref ref = find_node(key);
    if (ref == 0 || node(ref).entry == 0) return;
    Node& n = node(ref);
    n.checked_ms = now_ms;
    n.checked_news = check.news;
    n.check_began_ms = 0;
    // Changes during a time in which the store told us nothing are not covered by this answer.
    Block& b = block(n.entry);
    std::uint32_t epoch = root().domains[b.domain].told_epoch;
    if (static_cast<std::uint16_t>(epoch) == check.told_epoch) b.told_epoch = epoch;
}

std::uint64_t Zone::tell(Node& n) {
    n.news++;
    return take_waiters(n, n.news_waiters);
}

std::uint64_t Zone::changed(const Key& key) {
    Guard guard(*this);
    Ref ref = find_node(key);
    if (ref == 0) return 0;
    root().epoch++;
    return tell(node(ref));
}

std::uint64_t Zone::lease_changed(const Key& key) {
    Guard guard(*this);
    Ref ref = find_node(key);
    if (ref == 0 || node(ref).fill_until_ms == 0) return 0;
    return tell(node(ref));
}

std::uint16_t Zone::news(const Key& key) {
    Guard guard(*this);
    Ref ref = find_node(key);
    return ref != 0 ? node(ref).news : std::uint16_t{0};
}

bool Zone::await_news(const Key& key, unsigned worker, std::uint16_t known) {
    Guard guard(*this);
    Ref ref = node_for(key);
    if (ref == 0) return true;
    if (node(ref).news != known) return false;
    node(ref).news_waiters |= std::uint64_t{1} << worker % max_workers;
    return true;
}

void Zone::set_told(unsigned domain, bool told) {
    Guard guard(*this);
    Root::Domain& d = root().domains[domain];
    root().epoch++;
    if (d.told && !told) d.told_epoch++;
    if (!d.told && told) d.told_epoch++;  // something may have changed before the store told us of changes
    d.told = told;
}

// The newest purge after `fence` of any of these hashes, hard before soft.
PurgeMark Zone::find_mark(unsigned domain_number, std::uint64_t fence, std::span<const std::uint64_t> hashes) const {
    const Root::Domain& domain = root().domains[domain_number];
    std::uint64_t soft = domain.soft_floor, hard = domain.hard_floor;
    for (std::uint64_t hash : hashes) {
        if (const PurgeSlot* slot = find_purge(domain_number, hash)) {
            soft = std::max(soft, slot->soft);
            hard = std::max(hard, slot->hard);
        }
    }
    std::uint64_t newest = hard > fence ? hard : soft;
    if (newest <= fence) return {};
    return {hard > fence ? PurgeMode::hard : PurgeMode::soft,
            static_cast<std::int64_t>(newest / 1000) - domain.clock_ahead_ms};
}

PurgeMark Zone::purge_mark(Block& b) const {
    const Root::Domain& domain = root().domains[b.domain];
    if (b.purges_seen == domain.purges || b.fence >= domain.last_purge.load(std::memory_order_relaxed)) return b.mark;
    PurgeMark mark = find_mark(b.domain, b.fence, {b.hashes(), b.hash_count});
    b.purges_seen = domain.purges;
    // A further soft purge makes the entry no staler, so keep the time of the first one.
    if (b.mark.mode == PurgeMode::none || mark.mode == PurgeMode::hard) b.mark = mark;
    return b.mark;
}

// The fence of an entry from the store, as it counts here. Its maker can't have known the purges that the store is
// still owed, whatever the fence says: so it counts as older than those.
std::uint64_t Zone::fence_here(unsigned domain, std::uint64_t fence, std::span<const std::uint64_t> hashes) const {
    if (root().domains[domain].owed.load(std::memory_order_relaxed) == 0) return fence;
    for (std::uint64_t hash : hashes) {
        const PurgeSlot* slot = find_purge(domain, hash);
        if (slot != nullptr && slot->owed != 0) fence = std::min(fence, slot->owed - 1);
    }
    return fence;
}

PurgeMark Zone::purge_since(unsigned domain, std::uint64_t fence, std::span<const std::uint64_t> hashes) {
    Guard guard(*this);
    return find_mark(domain, fence, hashes);
}

Zone::Judged Zone::judge_foreign(const EntryView& entry, unsigned domain, std::int64_t now_ms) {
    std::vector<std::uint64_t> hashes;
    each_purge_hash(entry, [&hashes](std::uint64_t hash) { hashes.push_back(hash); });
    PurgeMark mark;
    {
        Guard guard(*this);
        mark = find_mark(domain, fence_here(domain, entry.head().fence, hashes), hashes);
    }
    Verdict verdict = judge(entry.head().life, mark, now_ms);
    return {verdict, mark.mode != PurgeMode::none && verdict != Verdict::fresh};
}

void Zone::postpone_refresh(const Key& key, std::int64_t until_ms) {
    Guard guard(*this);
    if (Ref ref = find_node(key)) {
        node(ref).refresh_after_ms = until_ms;
        set_process(ref, &Node::refresh_pid, 0);  // no lease for sweep() to end
    }
}

std::span<Zone::PurgeSlot> Zone::purge_set(unsigned domain, std::uint64_t tag) const {
    std::size_t set = (tag + domain) & (root().purge_count / purge_ways - 1);
    return purge_slots().subspan(set * purge_ways, purge_ways);
}

Zone::PurgeSlot* Zone::find_purge(unsigned domain, std::uint64_t tag) const {
    for (PurgeSlot& slot : purge_set(domain, tag)) {
        if (slot.tag == tag && slot.domain == domain && !slot.empty()) return &slot;
    }
    return nullptr;
}

// Returns a slot for a purge that is not in the table: an empty one, or that of the oldest purge of the set, which is
// dropped after its domain's floor was raised. Purges that a store is owed are dropped last. Null: the new purge is
// older than all of them.
Zone::PurgeSlot* Zone::slot_for_purge(unsigned domain, std::uint64_t tag, std::uint64_t sequence) {
    auto set = purge_set(domain, tag);
    PurgeSlot& oldest = *std::min_element(set.begin(), set.end(), [](const PurgeSlot& a, const PurgeSlot& b) {
        return std::pair(a.owed != 0, a.newest()) < std::pair(b.owed != 0, b.newest());
    });
    if (oldest.newest() > sequence) return nullptr;
    if (!oldest.empty()) {
        Root::Domain& its_domain = root().domains[oldest.domain];
        its_domain.soft_floor = std::max(its_domain.soft_floor, oldest.soft);
        its_domain.hard_floor = std::max(its_domain.hard_floor, oldest.hard);
        its_domain.purges++;
        stats().counters[static_cast<unsigned>(Counter::purges_forgotten)].fetch_add(1, std::memory_order_relaxed);
    }
    set_owed(oldest, 0, false);
    in_this_order();
    oldest.soft = oldest.hard = 0;
    oldest.given = false;
    in_this_order();
    oldest.tag = tag;
    oldest.domain = domain;
    in_this_order();
    return &oldest;
}

std::uint64_t Zone::purge(unsigned domain, std::uint64_t tag, PurgeMode mode, std::uint64_t sequence, std::int64_t now_ms) {
    Guard guard(*this);
    Root& r = root();
    Root::Domain& d = r.domains[domain];
    std::uint64_t last = d.last_purge.load(std::memory_order_relaxed);
    const bool is_owed = sequence == 0 && domain != 0;
    if (sequence == 0) {
        last = std::max(last, d.newest_fence);
        std::int64_t drawn_ms = domain == 0      ? now_ms
                                : d.clock_known ? now_ms + d.clock_ahead_ms - clock_tolerance_ms
                                                : 0;
        sequence = std::max(last + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(drawn_ms, 0)) * 1000);
    }
    PurgeSlot* slot = find_purge(domain, tag);
    if (slot == nullptr) slot = slot_for_purge(domain, tag, sequence);
    bool hard = mode == PurgeMode::hard;
    std::uint64_t& known = slot != nullptr ? (hard ? slot->hard : slot->soft) : (hard ? d.hard_floor : d.soft_floor);
    known = std::max(known, sequence);
    d.purges++;
    d.last_purge.store(std::max(last, sequence), std::memory_order_relaxed);
    r.epoch++;
    if (is_owed && slot != nullptr) set_owed(*slot, sequence, hard || slot->owed_hard);
    return sequence;
}

void Zone::set_owed(PurgeSlot& slot, std::uint64_t drawn, bool hard) {
    std::atomic<std::uint32_t>& owed = root().domains[slot.domain].owed;
    if (slot.owed == 0 && drawn != 0) owed.fetch_add(1, std::memory_order_relaxed);
    if (slot.owed != 0 && drawn == 0) owed.fetch_sub(1, std::memory_order_relaxed);
    slot.owed = drawn;
    slot.owed_hard = hard;
}

void Zone::settle(unsigned domain, std::uint64_t tag, PurgeMode mode, std::uint64_t drawn, std::uint64_t sequence, std::int64_t now_ms) {
    purge(domain, tag, mode, sequence, now_ms);
    Guard guard(*this);
    PurgeSlot* slot = find_purge(domain, tag);
    if (slot == nullptr) return;
    slot->given = true;
    const bool is_all = slot->owed == drawn && (mode == PurgeMode::hard || !slot->owed_hard);
    if (is_all) set_owed(*slot, 0, false);
}

// Calls f(slot) for each slot of the purge table, under the lock, which it releases between slices.
template <typename F>
void Zone::each_purge(F&& f) {
    for (std::span<PurgeSlot> rest = purge_slots(); !rest.empty();) {
        Guard guard(*this);
        std::size_t size = std::min<std::size_t>(read_steps, rest.size());
        for (PurgeSlot& slot : rest.first(size)) f(slot);
        rest = rest.subspan(size);
    }
}

std::vector<Zone::Owed> Zone::owed(unsigned domain, std::size_t most) {
    std::vector<Owed> owed;
    if (root().domains[domain].owed.load(std::memory_order_relaxed) == 0) return owed;
    owed.reserve(most);
    each_purge([&](const PurgeSlot& slot) {
        if (owed.size() < most && slot.domain == domain && slot.owed != 0)
            owed.push_back({slot.tag, slot.owed_hard ? PurgeMode::hard : PurgeMode::soft, slot.owed});
    });
    return owed;
}

void Zone::owe_again(unsigned domain, std::uint64_t since) {
    each_purge([&](PurgeSlot& slot) {
        if (slot.domain == domain && slot.given && slot.hard >= since && slot.owed == 0) set_owed(slot, slot.hard, true);
    });
}

void Zone::set_clock(unsigned domain, std::int64_t ahead_ms) {
    Guard guard(*this);
    Root::Domain& d = root().domains[domain];
    d.clock_ahead_ms = ahead_ms;
    d.clock_known = true;
}

void Zone::raise_floor(unsigned domain, std::uint64_t sequence) {
    Guard guard(*this);
    Root::Domain& d = root().domains[domain];
    d.soft_floor = std::max(d.soft_floor, sequence);
    d.purges++;
    root().epoch++;
    if (sequence > d.last_purge.load(std::memory_order_relaxed)) d.last_purge.store(sequence, std::memory_order_relaxed);
}

std::uint64_t Zone::log_read(unsigned domain) const {
    return root().domains[domain].log_read.load(std::memory_order_relaxed);
}

void Zone::set_log_read(unsigned domain, std::uint64_t sequence) {
    root().domains[domain].log_read.store(sequence, std::memory_order_relaxed);
}

std::uint64_t Zone::store_identity(unsigned domain) const {
    return root().domains[domain].store_identity.load(std::memory_order_relaxed);
}

void Zone::set_store_identity(unsigned domain, std::uint64_t identity) {
    root().domains[domain].store_identity.store(identity, std::memory_order_relaxed);
}

std::uint64_t Zone::last_purge(unsigned domain) const {
    return root().domains[domain].last_purge.load(std::memory_order_relaxed);
}

std::uint64_t Zone::sweep(const std::function<bool(int)>& alive) {
    std::unordered_map<int, bool> known;
    auto is_dead = [&](int pid) {
        if (pid == 0) return false;
        auto [at, is_new] = known.try_emplace(pid, false);
        if (is_new) at->second = !alive(pid);
        return at->second;
    };
    for (Hold h = 1; h <= root().hold_count;) {
        Guard guard(*this);
        Hold end = std::min(h + read_steps, root().hold_count + 1);
        for (unsigned freed = 0; h < end && freed < slice_steps; h++) {
            if (!is_dead(hold_slots()[h].pid)) continue;
            free_hold(h);
            freed++;
        }
    }
    // Nodes that were checked move to the front of the list, where new ones are inserted too.
    std::uint64_t waiters = 0;
    std::uint32_t left = std::numeric_limits<std::uint32_t>::max();
    while (left != 0) {
        Guard guard(*this);
        left = std::min(left, root().claimed);
        for (unsigned step = 0; step < slice_steps && left != 0 && root().claims.last != 0; step++, left--) {
            Ref ref = root().claims.last;
            Node& n = node(ref);
            unlink(List::claims, ref);
            push(List::claims, ref);
            if (is_dead(n.fill_pid)) waiters |= end_fill(ref);
            if (is_dead(n.refresh_pid)) {
                n.refresh_after_ms = 0;
                set_process(ref, &Node::refresh_pid, 0);
            }
        }
    }
    return waiters;
}

Stats& Zone::stats() const {
    return root().stats;
}

Usage Zone::usage() {
    Guard guard(*this);
    return {root().arena_size, arena_.free_bytes(), root().nodes, root().entries, root().holds};
}

bool Zone::consistent() {
    Guard guard(*this);
    return arena_.consistent() && index_consistent() && holds_consistent() && blocks_consistent();
}

bool Zone::index_consistent() const {
    std::uint32_t indexed = 0, entries = 0;
    for (Ref& head : buckets()) {
        for (Ref ref = head; ref != 0; ref = node(ref).next_in_bucket) {
            if (&bucket(node(ref).key) != &head || ++indexed > root().nodes) return false;
            if (node(ref).entry != 0) entries++;
        }
    }
    std::uint32_t in_use = 0, in_claims = 0, claimed = 0;
    for (const auto& [list, listed] : {std::pair(&List::used, &in_use), std::pair(&List::claims, &in_claims)}) {
        Ref previous = 0;
        for (Ref ref = (root().*list->ends).first; ref != 0; previous = ref, ref = node(ref).*list->next) {
            if (node(ref).*list->previous != previous || ++*listed > root().nodes) return false;
            if (list == &List::used && node(ref).is_claimed()) claimed++;
        }
        if ((root().*list->ends).last != previous) return false;
    }
    return indexed == root().nodes && in_use == indexed && entries == root().entries && in_claims == claimed &&
           claimed == root().claimed;
}

bool Zone::holds_consistent() const {
    std::uint32_t used = 0, unused = 0;
    for (Hold h = 1; h <= root().hold_count; h++) used += hold_slots()[h].pid != 0;
    for (Hold h = root().first_free_hold; h != 0; h = hold_slots()[h].next_free) {
        if (hold_slots()[h].pid != 0 || ++unused > root().hold_count) return false;
    }
    return used == root().holds && used + unused == root().hold_count;
}

// Whether each block has as many references as nodes and holds refer to it, and no memory is lost.
bool Zone::blocks_consistent() const {
    std::unordered_map<Ref, std::uint32_t> references;
    std::size_t bytes = arena_.free_bytes();
    auto add = [&](Ref ref) { bytes += arena_.block_bytes(ref) + Arena::overhead_bytes; };
    auto add_block = [&](Ref ref) {
        for (; ref != 0; ref = segment(ref).next) add(ref);
    };
    for (Ref ref = root().used.first; ref != 0; ref = node(ref).used_next) {
        add(ref);
        if (Ref entry = node(ref).entry) references[entry]++;
        if (Ref assembled = node(ref).assembled) references[assembled]++;
    }
    for (const HoldSlot& slot : hold_slots().subspan(1)) {
        if (slot.pid != 0) references[slot.block]++;
    }
    for (Ref ref = root().garbage; ref != 0; ref = block(ref).next_garbage) add_block(ref);
    for (auto [ref, count] : references) {
        add_block(ref);
        if (block(ref).references != count) return false;
    }
    return bytes == arena_.total_bytes();
}

}  // namespace larder::near_cache
