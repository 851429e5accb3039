// The arena: a memory allocator inside one block of shared memory that several processes map at different addresses.
//
// Segregated free lists with boundary tags: allocation looks in at most a few lists, freeing merges with both neighbours,
// both take constant time (after M. Masmano et al., "TLSF: a new dynamic memory allocator for real-time systems", 2004).
// Blocks are named by their distance from the arena's start in units of 16 bytes (Ref), never by address: 0 is "none",
// the largest arena is 32 GiB. Not synchronised: the caller holds the zone's lock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace larder::near_cache {

using Ref = std::uint32_t;
inline constexpr std::size_t arena_unit = 16;
inline constexpr std::size_t min_arena_bytes = 4096;
inline constexpr std::size_t max_arena_bytes = std::size_t{1}
                                               << 35;  // less a unit: a block's length has 31 bits

class Arena {
public:
    // `memory` is 16-byte aligned, of at least min_arena_bytes (what exceeds the largest arena stays unused), zero or whatever
    // an earlier Arena at the same place left. Attaching touches nothing.
    Arena(void* memory, std::size_t size)
        : base_(static_cast<char*>(memory)),
          size_(std::min(size, max_arena_bytes - 1) / arena_unit * arena_unit) {}

    // Makes everything free, apart from the blocks in the list `kept` (each once, in any order; 0: none), whose contents stay.
    // Of the arena's own data, only the sizes of these blocks are believed. Allocates nothing: a reset can't fail.
    void reset(Ref kept = 0);
    // Puts an allocated block before `list`, for reset(); returns the new list.
    Ref keep(Ref block, Ref list);

    // At least `bytes` of memory, 16-byte aligned; 0 when no such block is found: size classes are a sixteenth wide, and only
    // the last freed of the class that `bytes` falls in is looked at.
    Ref allocate(std::size_t bytes);
    // As much as one of the largest free blocks has, but not more than `most` bytes (and a remainder too small to be a block);
    // 0 when it has less than `least`.
    Ref allocate_largest(std::size_t most, std::size_t least);
    void free(Ref block);

    void* at(Ref block) const { return base_ + std::size_t{block} * arena_unit; }
    // Bytes usable in an allocated block; at least what was asked for.
    std::size_t block_bytes(Ref block) const;

    std::size_t free_bytes() const;
    // What is free when nothing is allocated, blocks' overhead included.
    std::size_t total_bytes() const { return std::size_t{end() - (first_block() - 1)} * arena_unit; }
    // Walks all blocks and all free lists and checks their links. For tests.
    bool consistent() const;

    static constexpr std::size_t overhead_bytes = 16;  // per block

private:
    struct Header;
    struct Control;

    Control& control() const;
    Header& header(Ref block) const;
    Ref next_of(Ref block) const;
    static Ref first_block();
    Ref end() const { return static_cast<Ref>(size_ / arena_unit); }
    void insert_free(Ref block);
    void remove_free(Ref block);
    Ref find_free(std::uint32_t units) const;
    void take(Ref block, std::uint32_t units);
    Ref sorted(Ref list) const;
    Ref merged(Ref a, Ref b) const;
    bool free_lists_hold(std::uint64_t blocks) const;
    void make_block(Ref block, std::uint32_t units, std::uint32_t previous_units, bool used);

    char* base_;
    std::size_t size_;
};

}  // namespace larder::near_cache
