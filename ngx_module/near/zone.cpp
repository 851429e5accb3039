// The near cache's structures in shared memory.
#include "zone.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <unordered_map>
#include <utility>
#include <vector>

namespace larder::near_cache {

namespace {

constexpr std::uint64_t zone_magic = 0x31656e6f5a72644c;
constexpr std::int64_t clock_tolerance_ms = 10'000;  // between machines
constexpr std::int64_t touch_interval_ms = 1000;  // how exact "least recently used" is

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
    std::int32_t pid;  // 0: free. Written last, so that a slot with a pid always names a block
    Hold next_free;
};

struct Zone::PurgeSlot {
    std::uint64_t tag;
    std::uint64_t soft, hard;  // newest sequences; both 0: empty slot
    std::uint32_t domain;

    bool empty() const { return soft == 0 && hard == 0; }
    std::uint64_t newest() const { return std::max(soft, hard); }
};

struct Zone::Root {
    std::uint64_t magic;
    std::atomic<std::uint32_t> busy;  // inside a critical section; found set by the next to lock: someone died there
    std::uint32_t bucket_count, hold_count, purge_count;
    std::uint64_t buckets_at, holds_at, purges_at, arena_at;  // bytes from the root
    std::uint64_t arena_size;

    Ref lru_first, lru_last;
    Hold first_free_hold;
    std::uint32_t nodes, entries, holds, purges;
    std::uint64_t versions;  // given out so far
    bool purges_torn;        // the purge table is being rewritten
    std::uint64_t epoch;     // raised whenever anything that an assembled page may rest on changes
    struct Domain {
        std::uint64_t identity;
        std::atomic<std::uint64_t> last_purge, log_read;
        std::uint64_t purges;  // how often we heard of one; sequences needn't come in order
        std::uint64_t last_hard;
        std::uint64_t soft_floor, hard_floor;
        std::uint64_t told_epoch;  // raised when we stop being told
        bool told;
    } domains[max_domains];
    Stats stats;
};

struct Zone::Node {
    Key key;
    Ref next_in_bucket, lru_previous, lru_next;
    Ref entry;      // 0: none
    Ref assembled;  // of this entry; 0: none
    std::int64_t used_ms, checked_ms, refresh_after_ms, pass_until_ms, fill_until_ms;
    std::int32_t fill_pid, refresh_pid;
    bool changed;
    std::uint64_t waiters;
    std::uint64_t change_waiters;  // fills that another machine's fill keeps waiting
    std::uint64_t version;
    std::int64_t variants_since_ms;
    std::uint32_t variants;  // of it that were made since then
};

// A block's memory: this, the purge hashes, the parts of an assembled page, the entry.
struct Zone::Block {
    std::uint32_t references;  // the node's and the holds'
    std::uint32_t domain;
    std::uint64_t told_epoch;
    std::uint64_t purges_seen;  // `mark` is true as of this value of Domain::purges
    PurgeMark mark;
    Lifetime life;
    std::uint64_t fence;
    std::int64_t created_ms;
    std::uint32_t hash_count, part_count;
    std::uint64_t entry_size;
    // An assembled page: its parts were last looked at in this epoch, and are as they should be until then.
    std::uint64_t checked_epoch;
    std::int64_t unchanged_until_ms;

    std::uint64_t* hashes() { return reinterpret_cast<std::uint64_t*>(this + 1); }
    Part* parts() { return reinterpret_cast<Part*>(hashes() + hash_count); }
    char* bytes() { return reinterpret_cast<char*>(parts() + part_count); }
};

namespace {

// A process may be killed between any two of its instructions: what is written above is written before what is below. Its
// death orders memory between processors; only the compiler has to be told.
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
        "jobs_duplicate", "jobs_failed", "inline_refreshes", "purges", "bad_entries", "evictions", "recoveries"};
    static_assert(std::size(names) == static_cast<std::size_t>(Counter::count));
    return names[static_cast<unsigned>(counter)];
}

Zone::Zone(void* memory, std::size_t size, Lock& lock, bool fresh)
    : lock_(lock), root_(static_cast<Root*>(memory)), arena_(nullptr, 0), pid_(::getpid()) {
    if (fresh || root_->magic != zone_magic) {
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

// Empties index, list and arena; blocks that somebody is sending stay, counted anew.
void Zone::lay_out() {
    Root& r = root();
    std::fill(buckets().begin(), buckets().end(), 0);
    r.lru_first = r.lru_last = 0;
    r.nodes = r.entries = r.holds = 0;
    r.first_free_hold = 0;
    std::vector<Ref> kept;
    for (Hold h = r.hold_count; h > 0; h--) {
        HoldSlot& slot = hold_slots()[h];
        if (slot.pid != 0) {
            kept.push_back(slot.block);
            r.holds++;
        } else {
            slot.next_free = r.first_free_hold;
            r.first_free_hold = h;
        }
    }
    for (Ref b : kept) block(b).references = 0;
    for (Ref b : kept) block(b).references++;
    std::sort(kept.begin(), kept.end());
    kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
    arena_.reset(kept);
}

void Zone::recover() {
    lay_out();
    if (root().purges_torn) forget_purges();
    stats().counters[static_cast<unsigned>(Counter::recoveries)].fetch_add(1, std::memory_order_relaxed);
}

// One entry takes a quarter of the memory at most.
std::size_t Zone::max_block_bytes() const {
    return root().arena_size / 4;
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

void Zone::lru_unlink(Ref ref) {
    Node& n = node(ref);
    (n.lru_previous != 0 ? node(n.lru_previous).lru_next : root().lru_first) = n.lru_next;
    (n.lru_next != 0 ? node(n.lru_next).lru_previous : root().lru_last) = n.lru_previous;
}

void Zone::lru_push(Ref ref) {
    Root& r = root();
    Node& n = node(ref);
    n.lru_previous = 0;
    n.lru_next = r.lru_first;
    (r.lru_first != 0 ? node(r.lru_first).lru_previous : r.lru_last) = ref;
    r.lru_first = ref;
}

Ref Zone::node_for(const Key& key) {
    if (Ref ref = find_node(key)) return ref;
    Ref ref = allocate(sizeof(Node));
    if (ref == 0) return 0;
    Node& n = *new (arena_.at(ref)) Node{};
    n.key = key;
    n.next_in_bucket = bucket(key);
    bucket(key) = ref;
    lru_push(ref);
    root().nodes++;
    return ref;
}

Ref Zone::allocate(std::size_t bytes) {
    for (;;) {
        if (Ref ref = arena_.allocate(bytes)) return ref;
        if (!evict_one()) return 0;
    }
}

// Throws out the least recently used node that nobody is filling. Looks at few, so that it can't take long.
bool Zone::evict_one() {
    for (int looked = 0; looked < 16; looked++) {
        Ref ref = root().lru_last;
        if (ref == 0) return false;
        if (node(ref).fill_until_ms == 0) {
            unlink_node(ref);
            stats().counters[static_cast<unsigned>(Counter::evictions)].fetch_add(1, std::memory_order_relaxed);
            return true;
        }
        lru_unlink(ref);
        lru_push(ref);
    }
    return false;
}

void Zone::unlink_node(Ref ref) {
    Node& n = node(ref);
    drop_entry(n);
    Ref* link = &bucket(n.key);
    while (*link != ref) link = &node(*link).next_in_bucket;
    *link = n.next_in_bucket;
    lru_unlink(ref);
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

void Zone::unreference(Ref ref) {
    if (--block(ref).references == 0) arena_.free(ref);
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
    if (identity == 0) identity = 1;  // 0 marks a free one
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
    // After a recovery that kept it, or a sweep that took us for dead, the slot may be another's.
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
    lru_unlink(ref);
    lru_push(ref);
}

// Whether the store should be asked about the entry; if not, *until_ms is when it should.
bool Zone::due_for_check(const Node& n, const Block& b, std::int64_t now_ms, std::int64_t* until_ms) const {
    if (b.domain == 0) {
        *until_ms = std::numeric_limits<std::int64_t>::max();
        return false;
    }
    const Root::Domain& domain = root().domains[b.domain];
    *until_ms = n.checked_ms + (domain.told ? coherence_.told_ms : coherence_.untold_ms);
    return n.changed || b.told_epoch != domain.told_epoch || now_ms >= *until_ms || now_ms < n.checked_ms;
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
    // Not longer than the interval of touching: parts must not grow old unused while the page they are in is hot.
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
        n.changed = false;  // the caller asks the store now
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
    if (found.check_store) {  // one asks, the others go on with what is here
        n.checked_ms = now_ms;
        n.changed = false;
        b.told_epoch = root().domains[b.domain].told_epoch;
    }
    Ref shown = n.entry;
    if (assembled && n.assembled != 0 && found.verdict == Verdict::fresh && !found.check_store) {
        found.assembled = parts_unchanged(block(n.assembled), now_ms);
        if (found.assembled) shown = n.assembled;
        else drop_assembled(n);
    }
    found.hold = hold(shown);
    if (found.hold == 0) {  // more answers under way than the table has slots: as if it weren't here
        found.verdict = Verdict::dead;
        return found;
    }
    found.entry = {block(shown).bytes(), block(shown).entry_size};
    found.version = n.version;
    found.domain = b.domain;
    return found;
}

bool Zone::claim_refresh(const Key& key, std::int64_t now_ms, std::int64_t lease_ms) {
    Guard guard(*this);
    Ref ref = node_for(key);
    if (ref == 0) return false;
    Node& n = node(ref);
    if (n.refresh_after_ms > now_ms) return false;
    n.refresh_after_ms = now_ms + lease_ms;
    n.refresh_pid = pid_;
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
    n.fill_pid = pid_;
    return Fill::mine;
}

std::uint64_t Zone::end_fill(Node& n) {
    n.fill_until_ms = 0;
    n.fill_pid = 0;
    n.change_waiters = 0;
    return std::exchange(n.waiters, 0);
}

// A new block with everything copied in, referenced by the hold that is returned alone; no hold: no room.
Hold Zone::make_block(unsigned domain, std::span<const std::uint64_t> hashes, std::span<const Part> parts, std::string_view prefix,
                      std::string_view body, Ref& made) {
    made = 0;
    std::size_t size = sizeof(Block) + hashes.size_bytes() + parts.size_bytes() + prefix.size() + body.size();
    if (size > max_block_bytes()) return 0;
    Hold held;
    {
        Guard guard(*this);
        made = allocate(size);
        if (made == 0) return 0;
        Block& b = *new (arena_.at(made)) Block{};
        b.domain = domain;
        b.told_epoch = root().domains[domain].told_epoch;
        held = hold(made);  // so that it is not lost if we die while copying
        if (held == 0) {
            arena_.free(made);
            return 0;
        }
    }
    EntryHead head;
    std::memcpy(&head, prefix.data(), sizeof head);
    Block& b = block(made);
    b.life = head.life;
    b.fence = head.fence;
    b.created_ms = head.created_ms;
    b.hash_count = static_cast<std::uint32_t>(hashes.size());
    b.part_count = static_cast<std::uint32_t>(parts.size());
    b.entry_size = prefix.size() + body.size();
    std::copy(hashes.begin(), hashes.end(), b.hashes());
    std::copy(parts.begin(), parts.end(), b.parts());
    std::memcpy(b.bytes(), prefix.data(), prefix.size());
    if (!body.empty()) std::memcpy(b.bytes() + prefix.size(), body.data(), body.size());
    return held;
}

std::uint64_t Zone::insert(const Key& key, unsigned domain, std::string_view prefix, std::string_view body,
                           std::int64_t now_ms, bool* stored, bool ends_fill) {
    std::vector<std::uint64_t> hashes;
    each_purge_hash(EntryView::trusted(prefix), [&hashes](std::uint64_t hash) { hashes.push_back(hash); });
    const EntryHead head = EntryView::trusted(prefix).head();
    if (stored != nullptr) *stored = false;
    Ref made;
    Hold held = make_block(domain, hashes, {}, prefix, body, made);
    std::uint64_t waiters = 0;
    {
        Guard guard(*this);
        Ref ref = held != 0 ? node_for(key) : find_node(key);
        if (ref != 0) {
            Node& n = node(ref);
            bool older = false;
            if (n.entry != 0) {
                const Block& present = block(n.entry);
                // Another store's fences mean something else: then the location's store has changed.
                older = present.domain == domain &&
                        (present.fence > head.fence ||
                         (present.fence == head.fence && present.created_ms > head.created_ms));
            }
            // One too large takes the old one's place too: that would be stale for as long as the page is so large.
            if ((held != 0 || prefix.size() + body.size() >= max_block_bytes()) && !older) drop_entry(n);
            if (held != 0 && !older) {
                n.entry = made;
                block(made).references++;
                n.version = ++root().versions;
                n.checked_ms = n.used_ms = now_ms;  // `changed` stays: that news may be younger than this entry
                n.pass_until_ms = 0;
                n.refresh_after_ms = 0;
                root().entries++;
                root().epoch++;
                if (stored != nullptr) *stored = true;
            }
            if (ends_fill) waiters = end_fill(n);
        }
    }
    release(held);
    return waiters;
}

void Zone::keep_assembled(const Key& key, std::uint64_t version, std::string_view prefix, std::string_view body,
                          std::span<const Part> parts) {
    Ref made;
    Hold held = make_block(0, {}, parts, prefix, body, made);
    if (held == 0) return;
    {
        Guard guard(*this);
        Ref ref = find_node(key);
        if (ref != 0 && node(ref).entry != 0 && node(ref).version == version) {
            drop_assembled(node(ref));
            node(ref).assembled = made;
            block(made).references++;
        }
    }
    release(held);
}

std::uint64_t Zone::pass(const Key& key, std::int64_t now_ms, std::int64_t for_ms) {
    Guard guard(*this);
    Ref ref = node_for(key);
    if (ref == 0) return 0;
    node(ref).pass_until_ms = now_ms + for_ms;
    return end_fill(node(ref));
}

void Zone::forget(const Key& key) {
    Guard guard(*this);
    if (Ref ref = find_node(key)) drop_entry(node(ref));
}

std::uint64_t Zone::abandon(const Key& key) {
    Guard guard(*this);
    Ref ref = find_node(key);
    return ref != 0 ? end_fill(node(ref)) : 0;
}

std::uint64_t Zone::changed(const Key& key) {
    Guard guard(*this);
    Ref ref = find_node(key);
    if (ref == 0) return 0;
    node(ref).changed = true;
    root().epoch++;
    return std::exchange(node(ref).change_waiters, 0);
}

std::uint64_t Zone::lease_changed(const Key& key) {
    Guard guard(*this);
    Ref ref = find_node(key);
    if (ref == 0 || node(ref).fill_until_ms == 0) return 0;
    node(ref).changed = true;
    return std::exchange(node(ref).change_waiters, 0);
}

bool Zone::await_change(const Key& key, unsigned worker) {
    Guard guard(*this);
    Ref ref = node_for(key);
    if (ref == 0) return true;
    if (std::exchange(node(ref).changed, false)) return false;
    node(ref).change_waiters |= std::uint64_t{1} << worker % max_workers;
    return true;
}

void Zone::set_told(unsigned domain, bool told) {
    Guard guard(*this);
    Root::Domain& d = root().domains[domain];
    root().epoch++;
    if (d.told && !told) d.told_epoch++;
    if (!d.told && told) d.told_epoch++;  // what changed before we were told
    d.told = told;
}

// The newest purge of any of these tags after `fence`.
PurgeMark Zone::find_mark(unsigned domain_number, std::uint64_t fence, std::span<const std::uint64_t> hashes) const {
    const Root::Domain& domain = root().domains[domain_number];
    std::uint64_t soft = domain.soft_floor, hard = domain.hard_floor;
    for (std::uint64_t hash : hashes) {
        if (const PurgeSlot* slot = purge_slot(domain_number, hash, false)) {
            soft = std::max(soft, slot->soft);
            hard = std::max(hard, slot->hard);
        }
    }
    if (hard > fence) return {PurgeMode::hard, static_cast<std::int64_t>(hard / 1000)};
    if (soft > fence) return {PurgeMode::soft, static_cast<std::int64_t>(soft / 1000)};
    return {};
}

PurgeMark Zone::purge_mark(Block& b) const {
    const Root::Domain& domain = root().domains[b.domain];
    if (b.purges_seen == domain.purges || b.fence >= domain.last_purge.load(std::memory_order_relaxed)) return b.mark;
    PurgeMark mark = find_mark(b.domain, b.fence, {b.hashes(), b.hash_count});
    b.purges_seen = domain.purges;
    // A second soft purge doesn't make it any more stale: the first one's time stays.
    if (b.mark.mode == PurgeMode::none || mark.mode == PurgeMode::hard) b.mark = mark;
    return b.mark;
}

PurgeMark Zone::purge_since(unsigned domain, std::uint64_t fence, std::span<const std::uint64_t> hashes) {
    Guard guard(*this);
    return find_mark(domain, fence, hashes);
}

Zone::Judged Zone::judge_foreign(const EntryView& entry, unsigned domain, std::int64_t now_ms) {
    std::vector<std::uint64_t> hashes;
    each_purge_hash(entry, [&hashes](std::uint64_t hash) { hashes.push_back(hash); });
    PurgeMark mark = purge_since(domain, entry.head().fence, hashes);
    Verdict verdict = judge(entry.head().life, mark, now_ms);
    return {verdict, mark.mode != PurgeMode::none && verdict != Verdict::fresh};
}

void Zone::postpone_refresh(const Key& key, std::int64_t until_ms) {
    Guard guard(*this);
    if (Ref ref = find_node(key)) {
        node(ref).refresh_after_ms = until_ms;
        node(ref).refresh_pid = 0;  // no lease that ends with a worker
    }
}

Zone::PurgeSlot* Zone::purge_slot(unsigned domain, std::uint64_t tag, bool create) const {
    auto table = purge_slots();
    std::size_t mask = table.size() - 1;
    for (std::size_t i = (tag + domain) & mask;; i = (i + 1) & mask) {
        PurgeSlot& slot = table[i];
        if (slot.empty()) {
            if (!create) return nullptr;
            slot.tag = tag;
            slot.domain = domain;
            return &slot;
        }
        if (slot.tag == tag && slot.domain == domain) return &slot;
    }
}

void Zone::place_purge(std::span<PurgeSlot> table, const PurgeSlot& slot) {
    std::size_t mask = table.size() - 1;
    std::size_t i = (slot.tag + slot.domain) & mask;
    while (!table[i].empty()) i = (i + 1) & mask;
    table[i] = slot;
}

// Forgets the older half of the purges; whatever may have missed them counts as purged.
void Zone::trim_purges() {
    auto table = purge_slots();
    std::vector<PurgeSlot> all;
    std::copy_if(table.begin(), table.end(), std::back_inserter(all), [](const PurgeSlot& s) { return !s.empty(); });
    std::sort(all.begin(), all.end(), [](const PurgeSlot& a, const PurgeSlot& b) { return a.newest() > b.newest(); });
    root().purges_torn = true;
    in_this_order();
    std::memset(table.data(), 0, table.size_bytes());
    std::size_t keep = all.size() / 2;
    for (std::size_t i = 0; i < all.size(); i++) {
        if (i < keep) {
            place_purge(table, all[i]);
            continue;
        }
        Root::Domain& domain = root().domains[all[i].domain];
        domain.soft_floor = std::max(domain.soft_floor, all[i].soft);
        domain.hard_floor = std::max(domain.hard_floor, all[i].hard);
    }
    root().purges = static_cast<std::uint32_t>(keep);
    in_this_order();
    root().purges_torn = false;
}

// Some purges are lost: whatever may have missed any of them counts as purged.
void Zone::forget_purges() {
    Root& r = root();
    for (Root::Domain& domain : r.domains) {
        domain.soft_floor = domain.last_purge.load(std::memory_order_relaxed);
        domain.hard_floor = domain.last_hard;
    }
    std::memset(purge_slots().data(), 0, purge_slots().size_bytes());
    r.purges = 0;
    in_this_order();
    r.purges_torn = false;
}

std::uint64_t Zone::purge(unsigned domain, std::uint64_t tag, PurgeMode mode, std::uint64_t sequence, std::int64_t now_ms) {
    Guard guard(*this);
    Root& r = root();
    Root::Domain& d = r.domains[domain];
    std::uint64_t last = d.last_purge.load(std::memory_order_relaxed);
    if (sequence == 0) {
        std::int64_t drawn_ms = domain == 0 ? now_ms : now_ms - clock_tolerance_ms;
        sequence = std::max(last + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(drawn_ms, 0)) * 1000);
    }
    if (r.purges >= r.purge_count / 4 * 3) trim_purges();
    PurgeSlot* slot = purge_slot(domain, tag, true);
    if (slot->empty()) r.purges++;
    if (mode == PurgeMode::hard) d.last_hard = std::max(d.last_hard, sequence);
    std::uint64_t& known = mode == PurgeMode::hard ? slot->hard : slot->soft;
    known = std::max(known, sequence);
    d.purges++;
    d.last_purge.store(std::max(last, sequence), std::memory_order_relaxed);
    r.epoch++;
    return sequence;
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

std::uint64_t Zone::last_purge(unsigned domain) const {
    return root().domains[domain].last_purge.load(std::memory_order_relaxed);
}

std::uint64_t Zone::sweep(const std::function<bool(int)>& alive) {
    Guard guard(*this);
    for (Hold h = 1; h <= root().hold_count; h++) {
        int pid = hold_slots()[h].pid;
        if (pid != 0 && !alive(pid)) free_hold(h);
    }
    std::uint64_t waiters = 0;
    for (Ref ref = root().lru_first; ref != 0; ref = node(ref).lru_next) {
        Node& n = node(ref);
        if (n.fill_pid != 0 && !alive(n.fill_pid)) waiters |= end_fill(n);
        if (n.refresh_pid != 0 && !alive(n.refresh_pid)) n.refresh_after_ms = n.refresh_pid = 0;
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
    std::uint32_t indexed = 0, entries = 0, listed = 0;
    for (Ref& head : buckets()) {
        for (Ref ref = head; ref != 0; ref = node(ref).next_in_bucket) {
            if (&bucket(node(ref).key) != &head || ++indexed > root().nodes) return false;
            if (node(ref).entry != 0) entries++;
        }
    }
    Ref previous = 0;
    for (Ref ref = root().lru_first; ref != 0; previous = ref, ref = node(ref).lru_next) {
        if (node(ref).lru_previous != previous || ++listed > root().nodes) return false;
    }
    return root().lru_last == previous && indexed == root().nodes && listed == indexed && entries == root().entries;
}

bool Zone::holds_consistent() const {
    std::uint32_t used = 0, unused = 0;
    for (Hold h = 1; h <= root().hold_count; h++) used += hold_slots()[h].pid != 0;
    for (Hold h = root().first_free_hold; h != 0; h = hold_slots()[h].next_free) {
        if (hold_slots()[h].pid != 0 || ++unused > root().hold_count) return false;
    }
    return used == root().holds && used + unused == root().hold_count;
}

// Each block is referenced by as many nodes and holds as it says, and no memory is lost.
bool Zone::blocks_consistent() const {
    std::unordered_map<Ref, std::uint32_t> references;
    std::size_t bytes = arena_.free_bytes();
    auto add = [&](Ref ref) { bytes += arena_.block_bytes(ref) + Arena::overhead_bytes; };
    for (Ref ref = root().lru_first; ref != 0; ref = node(ref).lru_next) {
        add(ref);
        if (Ref entry = node(ref).entry) references[entry]++;
        if (Ref assembled = node(ref).assembled) references[assembled]++;
    }
    for (const HoldSlot& slot : hold_slots().subspan(1)) {
        if (slot.pid != 0) references[slot.block]++;
    }
    for (auto [ref, count] : references) {
        add(ref);
        if (block(ref).references != count) return false;
    }
    return bytes == arena_.total_bytes();
}

}  // namespace larder::near_cache
