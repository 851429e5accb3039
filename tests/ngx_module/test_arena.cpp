// Compares the arena with a model: in any order of allocating and freeing, contents stay and no memory is lost.
#include "ngx_module/near/arena.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>

#include "tests/cmocka.hpp"

using larder::near_cache::Arena;
using larder::near_cache::arena_unit;
using larder::near_cache::Ref;

namespace {

struct Memory {
    explicit Memory(std::size_t bytes) : size(bytes), block(new (std::align_val_t(64)) char[bytes]) {}
    ~Memory() { ::operator delete[](block, std::align_val_t(64)); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    std::size_t size;
    char* block;
};

struct Piece {
    Ref ref;
    std::size_t size;
    unsigned char pattern;
};

void fill(const Arena& arena, const Piece& piece) {
    std::memset(arena.at(piece.ref), piece.pattern, piece.size);
}

bool intact(const Arena& arena, const Piece& piece) {
    const auto* bytes = static_cast<const unsigned char*>(arena.at(piece.ref));
    return std::all_of(bytes, bytes + piece.size, [&](unsigned char byte) { return byte == piece.pattern; });
}

class Model {
public:
    Model(std::size_t bytes, unsigned seed) : memory_(bytes), arena(memory_.block, bytes), random(seed) {
        std::memset(memory_.block, 0xa5, bytes);  // what an earlier use may have left
        arena.reset();
        all_free = arena.free_bytes();
        assert_true(arena.consistent());
        assert_int_equal(all_free, arena.total_bytes());
    }

    std::size_t some_size() {
        switch (random() % 8) {
            case 0:
                return random() % 3;
            case 1:
            case 2:
            case 3:
                return random() % 100;
            case 4:
            case 5:
                return random() % 2000;
            case 6:
                return random() % 20'000;
            default:
                return random() % (memory_.size / 4);
        }
    }

    bool allocate(std::size_t size) {
        Ref ref = arena.allocate(size);
        return ref != 0 && own(ref, size);
    }

    bool own(Ref ref, std::size_t size) {
        assert_true(reinterpret_cast<std::uintptr_t>(arena.at(ref)) % arena_unit == 0);
        assert_true(arena.block_bytes(ref) >= size);
        auto* at = static_cast<char*>(arena.at(ref));
        assert_true(at > memory_.block && at + arena.block_bytes(ref) <= memory_.block + memory_.size);
        pieces.push_back({ref, arena.block_bytes(ref), static_cast<unsigned char>(random())});
        fill(arena, pieces.back());
        return true;
    }

    void free(std::size_t index) {
        assert_true(intact(arena, pieces[index]));
        arena.free(pieces[index].ref);
        pieces[index] = pieces.back();
        pieces.pop_back();
    }

    void check() {
        assert_true(arena.consistent());
        std::size_t used = 0;
        for (const Piece& piece : pieces) used += piece.size + Arena::overhead_bytes;
        assert_int_equal(arena.free_bytes() + used, all_free);
    }

    void check_contents() {
        for (const Piece& piece : pieces) assert_true(intact(arena, piece));
    }

    void free_all() {
        while (!pieces.empty()) free(random() % pieces.size());
        check();
        assert_int_equal(arena.free_bytes(), all_free);
    }

    // Overwrites the arena with what a process that died midway may leave: only the sizes and contents of kept blocks
    // are intact.
    void scramble(const std::vector<Piece>& kept) {
        std::vector<char> before(memory_.block, memory_.block + memory_.size);
        for (std::size_t i = 0; i < memory_.size; i++) memory_.block[i] = static_cast<char>(random());
        for (const Piece& piece : kept) {
            std::size_t at =
                static_cast<std::size_t>(static_cast<char*>(arena.at(piece.ref)) - memory_.block);
            std::memcpy(memory_.block + at - Arena::overhead_bytes, &before[at - Arena::overhead_bytes], 4);
            std::memcpy(memory_.block + at, &before[at], piece.size);
        }
    }

    // Resets the arena, keeping everything that is allocated.
    void reset() {
        Ref kept = 0;
        for (const Piece& piece : pieces) kept = arena.keep(piece.ref, kept);
        arena.reset(kept);
    }

private:
    Memory memory_;

public:
    Arena arena;
    std::mt19937 random;
    std::vector<Piece> pieces;
    std::size_t all_free = 0;
};

TEST(any_order_of_allocating_and_freeing_keeps_the_contents) {
    for (unsigned seed = 0; seed < 12; seed++) {
        Model model(seed % 2 == 0 ? 60'000 : 1u << 20, seed);
        for (int step = 0; step < 1500; step++) {
            // Alternates between mostly allocating and mostly freeing, so that the arena fills up and empties.
            bool grow = model.random() % 10 < (step / 250 % 2 == 0 ? 7u : 3u);
            if (grow || model.pieces.empty())
                model.allocate(model.some_size());
            else
                model.free(model.random() % model.pieces.size());
            model.check();
            if (step % 50 == 0) model.check_contents();
        }
        model.check_contents();
        model.free_all();
    }
}

TEST(a_block_of_no_bytes_is_a_block) {
    Model model(60'000, 1);
    assert_true(model.allocate(0));
    assert_true(model.allocate(0));
    assert_true(model.pieces[0].ref != model.pieces[1].ref);
    model.check();
    model.free_all();
}

TEST(exhaustion_is_an_answer_and_everything_comes_back) {
    for (std::size_t size : {0u, 1u, 16u, 17u, 100u, 1000u, 4096u, 50'000u}) {
        Model model(1u << 20, 1);
        while (model.allocate(size)) {
        }
        model.check();
        model.check_contents();
        // Good fit: less remains free than a block of this size and 1/16 more.
        assert_true(model.arena.free_bytes() <= (size + 2 * arena_unit) * 17 / 16 + arena_unit);
        model.free(0);
        assert_true(model.allocate(size));
        model.free_all();
    }
}

TEST(scattered_free_memory_can_be_had_in_pieces_the_largest_first) {
    Model model(1u << 20, 2);
    while (model.allocate(200 + model.random() % 4000)) {
    }
    for (int i = 0; i < 100; i++) model.free(model.random() % model.pieces.size());
    std::size_t largest = SIZE_MAX, pieces = 0;
    while (Ref ref = model.arena.allocate_largest(3000, 100)) {
        std::size_t size = model.arena.block_bytes(ref);
        assert_true(size >= 100 && size <= 3000 + 2 * arena_unit);
        assert_true(size <= largest * 17 / 16 + arena_unit);
        largest = size;
        pieces++;
        model.own(ref, size);
        model.check();
    }
    assert_true(pieces > 20);
    assert_int_equal(model.arena.allocate(116), 0);
    model.check_contents();
    model.free_all();
    assert_int_equal(model.arena.allocate_largest(SIZE_MAX, SIZE_MAX), 0);
    Ref all = model.arena.allocate_largest(SIZE_MAX, 1);
    assert_int_equal(model.arena.free_bytes(), 0);
    model.arena.free(all);
}

TEST(neighbours_merge_so_that_the_whole_is_one_block_again) {
    Model model(1u << 20, 3);
    std::size_t most = model.all_free * 15 / 16;
    assert_true(model.allocate(most));
    model.free_all();
    for (int round = 0; round < 20; round++) {
        while (model.allocate(model.random() % 3000)) {
        }
        model.free_all();
        assert_true(model.allocate(most));
        model.free_all();
    }
}

TEST(more_than_there_is_can_not_be_had) {
    Model model(60'000, 1);
    for (std::size_t size : {std::size_t{60'000}, std::size_t{60'001}, std::size_t{1} << 32,
                             std::size_t{1} << 36, SIZE_MAX, SIZE_MAX - 15}) {
        assert_int_equal(model.arena.allocate(size), 0);
    }
    model.check();
}

TEST(the_smallest_arena_works) {
    for (std::size_t more = 0; more < 40; more++) {
        Model model(larder::near_cache::min_arena_bytes + more, 1);
        assert_true(model.allocate(16));
        while (model.allocate(16)) {
        }
        model.check();
        model.free_all();
    }
}

// A block's length has 31 bits.
TEST(an_arena_larger_than_the_largest_uses_that_much) {
    Arena arena(nullptr, std::size_t{1} << 40);
    assert_true(arena.total_bytes() < larder::near_cache::max_arena_bytes);
    assert_true(arena.total_bytes() / arena_unit < std::size_t{1} << 31);
}

TEST(a_reset_keeps_what_it_is_told_to_keep_whatever_became_of_the_rest) {
    for (unsigned seed = 0; seed < 60; seed++) {
        Model model(seed % 3 == 0 ? 60'000 : 400'000, seed);
        for (int step = 0; step < 300; step++) {
            if (model.random() % 3 != 0 || model.pieces.empty())
                model.allocate(model.some_size() % 20'000);
            else
                model.free(model.random() % model.pieces.size());
        }
        for (int again = 0; again < 3; again++) {  // dies again before anything was freed
            std::shuffle(model.pieces.begin(), model.pieces.end(), model.random);
            model.pieces.resize(model.pieces.size() / (1 + model.random() % 4));
            model.scramble(model.pieces);
            model.reset();
            model.check();
            model.check_contents();
            // Nothing may overlap with kept memory: fill all that is free, and check again.
            for (std::size_t size : {3000u, 300u, 16u})
                while (model.allocate(size)) {
                }
            model.check();
            model.check_contents();
        }
        model.free_all();
        assert_true(model.allocate(model.all_free * 15 / 16));
    }
}

TEST(a_reset_that_keeps_everything_changes_nothing) {
    Model model(100'000, 5);
    while (model.allocate(model.random() % 500)) {
    }
    std::size_t free_bytes = model.arena.free_bytes();
    model.reset();
    assert_int_equal(model.arena.free_bytes(), free_bytes);
    model.check();
    model.check_contents();
    model.free_all();
}

}  // namespace

TEST_MAIN("near cache: arena")
