// The forecast: whether the answer to a request that nobody has asked before will be one to keep. What can't be kept is rendered
// twice when that shows after the reduced request only: once reduced, once in full. So what a site answers is remembered by kinds
// of pages, and where reduced answers prove unstorable the next of that kind goes in full at once.
//
// A wrong guess costs a hit, or a render, and never a right answer. Pages that are here are not guessed about.
//
// A kind is learned from a few answers, and forgotten for newer ones of its width that fall into its place. While pages of a kind go in full,
// what comes back is looked at, and one is tried in its reduced form now and then, ever more seldom while that fails.
//
// Shared by all workers without a lock: a lost update is a lesson less. Knows no nginx.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "cache/request/key.hpp"

namespace larder::near_cache {

// The kinds that a page is of, from the narrowest: its path and the names of its parameters; its directory, with all numbered ones
// taken for one; its location.
using Kinds = std::array<std::uint64_t, 3>;
Kinds kinds_of(std::string_view host, std::string_view path, std::string_view query, std::string_view location);

class Forecast {
public:
    // Whether this request is to go in full.
    bool passes(const Kinds& kinds, const Key& key);
    // What came of a reduced request.
    void learn(const Kinds& kinds, bool storable);
    // What came of one that went in full because of passes(): storable if it looks as if it were when asked for reduced.
    void learn_from_full(const Kinds& kinds, const Key& key, bool storable);

private:
    static constexpr std::size_t slot_count = 4096, hint_count = 1024;

    struct State;
    std::size_t decider(const Kinds& kinds);
    std::atomic<std::uint64_t>& slot(std::uint64_t kind);
    template <typename F>
    void update(const Kinds& kinds, std::size_t which, F&& change);
    bool is_hinted(const Key& key);

    // Memory that is all zero is a forecast that knows nothing.
    std::array<std::atomic<std::uint64_t>, slot_count> slots_;
    std::array<std::atomic<std::uint32_t>, hint_count> hints_;  // of keys whose full answer looked storable
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace larder::near_cache
