// Two-level segregated free lists over blocks with boundary tags.
#include "arena.hpp"

#include <bit>
#include <cstring>
#include <utility>

namespace larder::near_cache {

namespace {

constexpr unsigned second_level_bits = 4;  // 16 lists per power of two
constexpr unsigned second_levels = 1u << second_level_bits;
constexpr unsigned first_levels = 32;
constexpr std::uint32_t used_bit = 1u << 31;
constexpr std::uint32_t min_units = 2;  // the header, and one for the list links

struct ListIndex {
    unsigned first, second;
};

ListIndex list_of(std::uint32_t units) {
    if (units < second_levels) return {0, units};
    unsigned log = 31u - static_cast<unsigned>(std::countl_zero(units));
    return {log - second_level_bits + 1, (units >> (log - second_level_bits)) - second_levels};
}

// The first list in which every block has at least `units`.
ListIndex list_at_least(std::uint32_t units) {
    if (units >= second_levels) {
        unsigned log = 31u - static_cast<unsigned>(std::countl_zero(units));
        units += (1u << (log - second_level_bits)) - 1;
    }
    return list_of(units);
}

// Units of a block for `bytes`, with its header.
std::uint32_t units_for(std::size_t bytes) {
    return std::max(min_units, static_cast<std::uint32_t>((bytes + arena_unit - 1) / arena_unit) + 1);
}

}  // namespace

struct Arena::Header {                       // in the 16 bytes before a block's memory
    std::uint32_t size;                      // in units, with the header; and used_bit
    std::uint32_t previous_size;             // of the preceding block, in units; 0 for the first one
    std::uint32_t next_free, previous_free;  // links while free; next_free also links kept blocks

    std::uint32_t units() const { return size & ~used_bit; }
    bool used() const { return (size & used_bit) != 0; }
};

struct Arena::Control {
    std::uint32_t first_bitmap;
    std::uint32_t second_bitmap[first_levels];
    std::uint32_t heads[first_levels][second_levels];
    std::uint64_t free_units;
};

// A Ref names a block's memory; the header is in the unit before it.
Arena::Control& Arena::control() const {
    return *reinterpret_cast<Control*>(base_);
}

Arena::Header& Arena::header(Ref block) const {
    return *reinterpret_cast<Header*>(base_ + std::size_t{block - 1} * arena_unit);
}

Ref Arena::first_block() {
    static_assert(sizeof(Control) + 8 * arena_unit < min_arena_bytes);
    return static_cast<Ref>((sizeof(Control) + arena_unit - 1) / arena_unit) + 1;
}

Ref Arena::next_of(Ref block) const {
    Ref next = block + header(block).units();
    return next - 1 < end() ? next : 0;
}

void Arena::make_block(Ref block, std::uint32_t units, std::uint32_t previous_units, bool used) {
    Header& h = header(block);
    h.size = units | (used ? used_bit : 0);
    h.previous_size = previous_units;
    if (Ref next = next_of(block)) header(next).previous_size = units;
}

void Arena::insert_free(Ref block) {
    Control& c = control();
    Header& h = header(block);
    auto [first, second] = list_of(h.units());
    h.previous_free = 0;
    h.next_free = c.heads[first][second];
    if (h.next_free != 0) header(h.next_free).previous_free = block;
    c.heads[first][second] = block;
    c.first_bitmap |= 1u << first;
    c.second_bitmap[first] |= 1u << second;
    c.free_units += h.units();
}

void Arena::remove_free(Ref block) {
    Control& c = control();
    Header& h = header(block);
    auto [first, second] = list_of(h.units());
    if (h.next_free != 0) header(h.next_free).previous_free = h.previous_free;
    if (h.previous_free != 0) {
        header(h.previous_free).next_free = h.next_free;
    } else {
        c.heads[first][second] = h.next_free;
        if (h.next_free == 0) {
            c.second_bitmap[first] &= ~(1u << second);
            if (c.second_bitmap[first] == 0) c.first_bitmap &= ~(1u << first);
        }
    }
    c.free_units -= h.units();
}

Ref Arena::find_free(std::uint32_t units) const {
    const Control& c = control();
    // Try the block of this class that was freed last: it fits if entries have similar sizes.
    auto [own_first, own_second] = list_of(units);
    Ref own = c.heads[own_first][own_second];
    if (own != 0 && header(own).units() >= units) return own;
    auto [first, second] = list_at_least(units);
    if (first >= first_levels) return 0;
    std::uint32_t seconds = c.second_bitmap[first] & (~0u << second);
    if (seconds == 0) {
        std::uint32_t firsts = first + 1 < first_levels ? c.first_bitmap & (~0u << (first + 1)) : 0;
        if (firsts == 0) return 0;
        first = static_cast<unsigned>(std::countr_zero(firsts));
        seconds = c.second_bitmap[first];
    }
    return c.heads[first][std::countr_zero(seconds)];
}

Ref Arena::keep(Ref block, Ref list) {
    header(block).next_free = list;  // not used while the block is allocated
    return block;
}

Ref Arena::merged(Ref a, Ref b) const {
    Ref first = 0;
    Ref* link = &first;
    while (a != 0 && b != 0) {
        Ref& lower = a < b ? a : b;
        *link = lower;
        link = &header(lower).next_free;
        lower = *link;
    }
    *link = a != 0 ? a : b;
    return first;
}

// Sorts by address. Bottom-up merge sort: runs[i] is empty or a sorted list of 2^i blocks.
Ref Arena::sorted(Ref list) const {
    Ref runs[32] = {};
    while (list != 0) {
        Ref run = list;
        list = header(run).next_free;
        header(run).next_free = 0;
        std::size_t i = 0;
        for (; runs[i] != 0; i++) run = merged(std::exchange(runs[i], 0), run);
        runs[i] = run;
    }
    Ref all = 0;
    for (Ref run : runs) all = merged(all, run);
    return all;
}

void Arena::reset(Ref kept) {
    std::memset(base_, 0, sizeof(Control));
    Ref at = first_block();
    std::uint32_t previous_units = 0;
    auto add = [&](std::uint32_t units, bool used) {
        if (units == 0) return;
        make_block(at, units, previous_units, used);
        if (!used) insert_free(at);
        previous_units = units;
        at += units;
    };
    Ref next;
    for (Ref block = sorted(kept); block != 0; block = next) {
        next = header(block).next_free;
        std::uint32_t units = header(block).units();
        add(block - at, false);  // 0 or at least min_units, as blocks were laid out without gaps
        add(units, true);
    }
    add(end() - (at - 1), false);
}

// Allocates the first `units` of a free block, or all of it if the rest is too small for a block.
void Arena::take(Ref block, std::uint32_t units) {
    remove_free(block);
    std::uint32_t have = header(block).units();
    std::uint32_t previous = header(block).previous_size;
    if (have - units >= min_units) {
        make_block(block, units, previous, true);
        make_block(block + units, have - units, units, false);
        insert_free(block + units);
    } else {
        make_block(block, have, previous, true);
    }
}

Ref Arena::allocate(std::size_t bytes) {
    if (bytes > size_) return 0;
    std::uint32_t units = units_for(bytes);
    Ref block = find_free(units);
    if (block != 0) take(block, units);
    return block;
}

Ref Arena::allocate_largest(std::size_t most, std::size_t least) {
    const Control& c = control();
    if (least > size_ || c.first_bitmap == 0) return 0;
    auto highest = [](std::uint32_t bits) { return 31 - std::countl_zero(bits); };
    int first = highest(c.first_bitmap);
    Ref block = c.heads[first][highest(c.second_bitmap[first])];
    if (header(block).units() < units_for(least)) return 0;
    take(block, std::min(header(block).units(), units_for(std::min(most, size_))));
    return block;
}

void Arena::free(Ref block) {
    std::uint32_t units = header(block).units();
    std::uint32_t previous = header(block).previous_size;
    if (Ref next = next_of(block); next != 0 && !header(next).used()) {
        remove_free(next);
        units += header(next).units();
    }
    if (previous != 0 && !header(block - previous).used()) {
        block -= previous;
        remove_free(block);
        units += previous;
        previous = header(block).previous_size;
    }
    make_block(block, units, previous, false);
    insert_free(block);
}

std::size_t Arena::block_bytes(Ref block) const {
    return std::size_t{header(block).units() - 1} * arena_unit;
}

std::size_t Arena::free_bytes() const {
    return control().free_units * arena_unit;
}

bool Arena::consistent() const {
    std::uint32_t previous = 0;
    std::uint64_t free_units = 0, free_blocks = 0;
    bool previous_free = false;
    for (Ref block = first_block(); block != 0; block = next_of(block)) {
        const Header& h = header(block);
        if (h.units() < min_units || h.previous_size != previous || (previous_free && !h.used()))
            return false;
        if (block - 1 + h.units() > end()) return false;
        previous = h.units();
        previous_free = !h.used();
        if (!h.used()) {
            free_units += h.units();
            free_blocks++;
        }
    }
    return free_units == control().free_units && free_lists_hold(free_blocks);
}

// Whether the lists contain exactly `blocks` free blocks, each in the list of its size, and the bitmaps mark the
// non-empty lists.
bool Arena::free_lists_hold(std::uint64_t blocks) const {
    const Control& c = control();
    for (unsigned first = 0; first < first_levels; first++) {
        if ((c.first_bitmap >> first & 1) != (c.second_bitmap[first] != 0)) return false;
        for (unsigned second = 0; second < second_levels; second++) {
            if ((c.second_bitmap[first] >> second & 1) != (c.heads[first][second] != 0)) return false;
            Ref previous = 0;
            for (Ref block = c.heads[first][second]; block != 0; block = header(block).next_free) {
                const Header& h = header(block);
                auto [its_first, its_second] = list_of(h.units());
                if (h.used() || h.previous_free != previous || its_first != first || its_second != second)
                    return false;
                if (blocks-- == 0) return false;
                previous = block;
            }
        }
    }
    return blocks == 0;
}

}  // namespace larder::near_cache
