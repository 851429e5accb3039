// The arena: a memory allocator inside one block of shared memory that several processes map at different addresses.
//
// Segregated free lists with boundary tags: allocation looks in at most a few lists, freeing merges with both neighbours,
// both take constant time (after M. Masmano et al., "TLSF: a new dynamic memory allocator for real-time systems", 2004).
// Blocks are named by their distance from the arena's start in units of 16 bytes (Ref), never by address: 0 is "none",
// the largest arena is 64 GiB. Not synchronised: the caller holds the zone's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace larder::near_cache {

using Ref = std::uint32_t;
inline constexpr std::size_t arena_unit = 16;
inline constexpr std::size_t max_arena_bytes = std::size_t{1} << 36;

class Arena {
public:
    // `memory` is 16-byte aligned, zero or whatever an earlier Arena at the same place left. Attaching touches nothing.
    Arena(void* memory, std::size_t size) : base_(static_cast<char*>(memory)), size_(size / arena_unit * arena_unit) {}

    // Makes everything free, apart from the blocks `kept` (as returned by allocate; each once, any order), whose contents stay.
    void reset(std::span<Ref> kept = {});

    // At least `bytes` of memory, 16-byte aligned; 0 when there is no free block that large.
    Ref allocate(std::size_t bytes);
    void free(Ref block);

    void* at(Ref block) const { return base_ + std::size_t{block} * arena_unit; }
    // Bytes usable in an allocated block; at least what was asked for.
    std::size_t block_bytes(Ref block) const;

    std::size_t free_bytes() const;
    // Walks all blocks and checks their links. For tests.
    bool consistent() const;

    static constexpr std::size_t overhead_bytes = 16;  // per block

private:
    struct Header;
    struct Control;

    Control& control() const;
    Header& header(Ref block) const;
    Ref next_of(Ref block) const;
    Ref first_block() const;
    Ref end() const { return static_cast<Ref>(size_ / arena_unit); }
    void insert_free(Ref block);
    void remove_free(Ref block);
    Ref find_free(std::uint32_t units) const;
    void make_block(Ref block, std::uint32_t units, std::uint32_t previous_units, bool used);

    char* base_;
    std::size_t size_;
};

}  // namespace larder::near_cache
