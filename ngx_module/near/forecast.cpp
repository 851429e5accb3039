// Scores for kinds of pages.
#include "ngx_module/near/forecast.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace larder::near_cache {

namespace {

// A kind's score rises with each storable answer and falls with each unstorable one. Below 0, its requests are sent
// in full. The wider a kind is, the higher it starts, so the more answers must have been unstorable.
constexpr std::array<int, 3> start_score{0, 1, 3};
constexpr int most_score = 8, least_score = -1;
// The number of full answers before a reduced request is tried again: initially, and how often it may be doubled.
constexpr unsigned first_pause = 128, most_doublings = 5;
// A full answer that looks storable counts as this many.
constexpr unsigned looks_storable = 32;
// decider() returns this index if no kind of the page is decisive.
constexpr std::size_t nobody = 3;

std::uint64_t hash(std::string_view text, std::uint64_t seed) {
    return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

// The lowest two bits of a kind are its width; 0 is the narrowest.
std::uint64_t with_width(std::uint64_t hash, std::uint64_t width) {
    return (hash & ~std::uint64_t{3}) | width;
}

// Each width has slots of its own. A site has as many narrow kinds as pages, and these must not displace the few wide
// ones.
struct Region {
    std::size_t first, sets;
};
constexpr std::size_t ways = 4;  // associativity
constexpr std::array<Region, 3> regions{{{0, 512}, {512 * ways, 256}, {768 * ways, 256}}};

// "a=1&b=2" gives "a&b&".
std::string parameter_names(std::string_view query) {
    std::string names;
    while (!query.empty()) {
        auto end = std::min(query.find('&'), query.size());
        std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        names.append(pair.substr(0, pair.find('='))).append("&");
    }
    return names;
}

// "/users/17/orders/4/" gives "/users/#/orders/".
std::string directory(std::string_view path) {
    if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    path = path.substr(0, path.rfind('/') + 1);
    std::string text;
    while (!path.empty()) {
        auto end = std::min(path.find('/'), path.size() - 1);
        std::string_view segment = path.substr(0, end);
        path.remove_prefix(end + 1);
        bool numbered = std::any_of(segment.begin(), segment.end(), [](char c) { return c >= '0' && c <= '9'; });
        text.append(numbered ? "#" : segment).append("/");
    }
    return text;
}

}  // namespace

Kinds kinds_of(std::string_view host, std::string_view path, std::string_view query,
               std::string_view location) {
    std::uint64_t place = hash(location, hash(host, 0));
    return {with_width(hash(parameter_names(query), hash(path, place + 1)), 0),
            with_width(hash(directory(path), place + 2), 1), with_width(place, 2)};
}

// A slot's lower 32 bits: these fields. Its upper 32 bits identify the kind.
struct Forecast::State {
    std::int8_t score;         // minus the start score, so that 0 means unknown
    std::uint8_t doublings;    // of the pause: failed tries
    std::uint16_t passed = 0;  // full answers since the last try

    static State of(std::uint64_t word) {
        State state;
        state.score = static_cast<std::int8_t>(word & 0xff);
        state.doublings = static_cast<std::uint8_t>(word >> 8);
        state.passed = static_cast<std::uint16_t>(word >> 16);
        return state;
    }
    std::uint64_t word(std::uint64_t kind) const {
        return (kind & ~std::uint64_t{0xffffffff}) | std::uint64_t{passed} << 16 | std::uint64_t{doublings} << 8 |
               static_cast<std::uint8_t>(score);
    }
    unsigned pause() const { return first_pause << std::min<unsigned>(doublings, most_doublings); }
};

// The kind's slot; or else an empty one; or else another kind's, which will be overwritten.
std::atomic<std::uint64_t>& Forecast::slot(std::uint64_t kind) {
    static_assert((regions[2].first + regions[2].sets * ways) == slot_count);
    const Region& region = regions[kind & 3];
    std::atomic<std::uint64_t>* set = &slots_[region.first + (kind >> 2) % region.sets * ways];
    std::atomic<std::uint64_t>* free = &set[(kind >> 16) % ways];
    for (std::size_t i = 0; i < ways; i++) {
        std::uint64_t word = set[i].load(std::memory_order_relaxed);
        if ((word ^ kind) >> 32 == 0) return set[i];
        if (word == 0) free = &set[i];
    }
    return *free;
}

// The index of the narrowest kind of which enough is known, or `nobody`.
std::size_t Forecast::decider(const Kinds& kinds) {
    for (std::size_t i = 0; i < kinds.size(); i++) {
        std::uint64_t word = slot(kinds[i]).load(std::memory_order_relaxed);
        if ((word ^ kinds[i]) >> 32 != 0) continue;
        int score = start_score[i] + State::of(word).score;
        if (score < 0 || score > start_score[i]) return i;
    }
    return nobody;
}

// Applies change(state) to the kind's state. If another kind has the slot, it is replaced. Lost if another worker
// updates the slot meanwhile.
template <typename F>
void Forecast::update(const Kinds& kinds, std::size_t which, F&& change) {
    std::atomic<std::uint64_t>& at = slot(kinds[which]);
    std::uint64_t word = at.load(std::memory_order_relaxed);
    State state = (word ^ kinds[which]) >> 32 == 0 ? State::of(word) : State{0, 0, 0};
    change(state);
    at.compare_exchange_strong(word, state.word(kinds[which]), std::memory_order_relaxed);
}

bool Forecast::is_hinted(const Key& key) {
    std::uint64_t number;
    std::memcpy(&number, key.bytes.data(), sizeof number);
    auto mark = static_cast<std::uint32_t>(number >> 32);
    return hints_[number % hint_count].compare_exchange_strong(mark, 0, std::memory_order_relaxed);
}

bool Forecast::passes(const Kinds& kinds, const Key& key) {
    std::size_t which = decider(kinds);
    if (which == nobody) return false;
    State state = State::of(slot(kinds[which]).load(std::memory_order_relaxed));
    if (start_score[which] + state.score >= 0) return false;
    bool tries = state.passed >= state.pause() || (state.doublings == 0 && is_hinted(key));
    if (!tries) return true;
    // Count the try as failed until it succeeds, so that concurrent requests are not all tries.
    update(kinds, which, [](State& s) {
        s.passed = 0;
        s.doublings = static_cast<std::uint8_t>(std::min<unsigned>(s.doublings + 1u, most_doublings));
    });
    return false;
}

void Forecast::learn(const Kinds& kinds, bool storable) {
    // If a narrow kind decides, its answers say nothing about wider ones.
    std::size_t last = std::min(decider(kinds), kinds.size() - 1);
    for (std::size_t i = 0; i <= last; i++) {
        update(kinds, i, [&](State& state) {
            int score = start_score[i] + state.score;
            score = storable ? std::min(std::max(score, start_score[i]) + 1, most_score)
                             : std::max(score - 1, least_score);
            if (storable) state.doublings = 0;
            state.score = static_cast<std::int8_t>(score - start_score[i]);
        });
    }
}

void Forecast::learn_from_full(const Kinds& kinds, const Key& key, bool storable) {
    std::size_t which = decider(kinds);
    if (which == nobody) return;
    update(kinds, which, [storable](State& state) {
        unsigned passed = state.passed + (storable ? looks_storable : 1u);
        state.passed = static_cast<std::uint16_t>(std::min(passed, 0xffffu));
    });
    if (!storable) return;
    std::uint64_t number;
    std::memcpy(&number, key.bytes.data(), sizeof number);
    hints_[number % hint_count].store(static_cast<std::uint32_t>(number >> 32), std::memory_order_relaxed);
}

}  // namespace larder::near_cache
