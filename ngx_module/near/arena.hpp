// The arena: allocates memory inside one region of shared memory that several processes map at different addresses.
//
// It uses segregated free lists with boundary tags: allocation looks at a few lists at most, freeing merges a block
// with both neighbours, and both take constant time (after M. Masmano et al., "TLSF: a new dynamic memory allocator
// for real-time systems", 2004). Blocks are not named by address, but by their distance from the arena's start in
// units of 16 bytes (Ref). Ref 0 means "none". The largest arena has 32 GiB. Not synchronised: the caller holds the
// zone's lock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace larder::near_cache {

using Ref = std::uint32_t;
inline constexpr std::size_t arena_unit = 16;
inline constexpr std::size_t min_arena_bytes = 4096;
inline constexpr std::size_t max_arena_bytes = std::size_t{1}
                                               << 35;  // less one unit: a block's length has 31 bits

class Arena {
public:
    // `memory`: 16-byte aligned, at least min_arena_bytes; what exceeds max_arena_bytes is not used. It contains
    // zeros, or an earlier Arena at the same place. The constructor accesses none of it.
    Arena(void* memory, std::size_t size)
        : base_(static_cast<char*>(memory)),
          size_(std::min(size, max_arena_bytes - 1) / arena_unit * arena_unit) {}

    // Makes everything free except the allocated blocks in the list `kept` (each once, in any order; 0: none), which
    // keep their contents. Trusts none of the arena's own data except the sizes of these blocks. Allocates nothing
    // and can't fail.
    void reset(Ref kept = 0);
    // Prepends an allocated block to `list`, for reset(). Returns the new list.
    Ref keep(Ref block, Ref list);

    // Allocates at least `bytes`, 16-byte aligned. 0: no block found. Size classes are 1/16 apart, and of the class
    // that `bytes` falls into only the block freed last is tried, so a free block of a fitting size may be missed.
    Ref allocate(std::size_t bytes);
    // Allocates as much as one of the largest free blocks has, but at most `most` bytes, plus a remainder too small
    // to be a block of its own. 0: it has less than `least` bytes.
    Ref allocate_largest(std::size_t most, std::size_t least);
    void free(Ref block);

    void* at(Ref block) const { return base_ + std::size_t{block} * arena_unit; }
    // Usable bytes of an allocated block; at least as many as were requested.
    std::size_t block_bytes(Ref block) const;

    std::size_t free_bytes() const;
    // free_bytes() of an empty arena, which includes the overhead of blocks.
    std::size_t total_bytes() const { return std::size_t{end() - (first_block() - 1)} * arena_unit; }
    // For tests: walks all blocks and free lists and checks their links.
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
