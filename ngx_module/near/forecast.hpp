// The forecast: predicts whether the answer for a page that was not requested lately will be storable. An unstorable
// page costs the backend two renders if that shows only after the reduced request: this one, and the full one. So the
// forecast remembers, by kinds of pages, whether answers were storable; where they were not, the next request for
// that kind is sent in full at once.
//
// A wrong prediction costs a hit or a render; it never causes a wrong answer. Nothing is predicted for pages that
// have an entry.
//
// A few answers teach it a kind. A newer kind of the same width that maps to the same slot replaces an older one.
// While requests for a kind go in full, their answers are examined, and now and then a reduced request is tried, less
// often each time that fails.
//
// Shared by all workers without a lock: a lost update loses one observation. Knows nothing of nginx.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "cache/request/key.hpp"

namespace larder::near_cache {

// The kinds that a page belongs to, from narrow to wide: its path and the names of its query parameters; its
// directory, with numbers in it ignored; its location.
using Kinds = std::array<std::uint64_t, 3>;
Kinds kinds_of(std::string_view host, std::string_view path, std::string_view query, std::string_view location);

class Forecast {
public:
    // Whether this request is to be sent in full.
    bool passes(const Kinds& kinds, const Key& key);
    // Notes whether the answer to a reduced request was storable.
    void learn(const Kinds& kinds, bool storable);
    // Notes the answer to a request that was sent in full because of passes(). `storable`: it looks storable if
    // requested in reduced form.
    void learn_from_full(const Kinds& kinds, const Key& key, bool storable);

private:
    static constexpr std::size_t slot_count = 4096, hint_count = 1024;

    struct State;
    std::size_t decider(const Kinds& kinds);
    std::atomic<std::uint64_t>& slot(std::uint64_t kind);
    template <typename F>
    void update(const Kinds& kinds, std::size_t which, F&& change);
    bool is_hinted(const Key& key);

    // All zero: nothing is known.
    std::array<std::atomic<std::uint64_t>, slot_count> slots_;
    std::array<std::atomic<std::uint32_t>, hint_count> hints_;  // keys whose full answer looked storable
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace larder::near_cache
