// The near cache's promises, in one process, with a clock of the test's own.
#include <map>
#include <vector>

#include "tests/ngx_module/zone_world.hpp"

using namespace larder;
using namespace larder::near_cache;
using namespace larder::test;

namespace {

constexpr std::int64_t t0 = 1'000'000'000'000;  // base of Spec's lifetime, which is fresh for 60 s
constexpr std::uint64_t sequence0 = static_cast<std::uint64_t>(t0) * 1000;

struct Fixture : SharedMemory, World {
    explicit Fixture(std::size_t bytes = min_zone_bytes)
        : SharedMemory(bytes), World(static_cast<SharedMemory&>(*this)) {}
    ~Fixture() { assert_true(zone.consistent()); }

    std::uint64_t put(const Spec& spec, unsigned domain = 0, std::int64_t now_ms = t0) {
        Made made = make(spec);
        return zone.insert(key_number(spec.number), domain, made.prefix, made.body, now_ms, &stored);
    }
    Found find(unsigned number, std::int64_t now_ms = t0) { return zone.find(key_number(number), now_ms); }
    Found look(unsigned number, std::int64_t now_ms = t0) {  // releases the hold at once
        Found found = find(number, now_ms);
        zone.release(found.hold);
        return found;
    }
    Verdict verdict(unsigned number, std::int64_t now_ms = t0) { return look(number, now_ms).verdict; }
    std::uint64_t counter(Counter c) { return zone.stats().counters[static_cast<unsigned>(c)].load(); }

    bool stored = false;
};

// ---- finding and replacing

TEST(what_was_put_there_is_found_byte_for_byte) {
    Fixture f;
    for (std::size_t size : {0u, 1u, 15u, 16u, 1000u, 100'000u}) {
        Spec spec{.number = static_cast<unsigned>(size), .size = size, .tags = {"a", "b"}};
        f.put(spec);
        assert_true(f.stored);
        Found found = f.find(spec.number);
        assert_true(found.hold != 0 && found.verdict == Verdict::fresh && !found.pass && !found.check_store);
        assert_text_equal(bytes_of(f.zone, found), make(spec).bytes());
        f.zone.release(found.hold);
    }
    assert_true(f.find(12345).hold == 0);
    assert_true(f.find(12345).verdict == Verdict::dead);
}

TEST(variants_of_a_url_are_limited_per_hour) {
    Fixture f;
    const std::int64_t hour_ms = 3'600'000;
    auto admit = [&](unsigned variant, std::int64_t now) {
        return f.zone.admit_variant(key_number(1), key_number(variant), now, 2);
    };
    assert_true(admit(10, t0) && admit(11, t0));
    assert_false(admit(12, t0 + 1));
    f.put({.number = 11});
    assert_true(admit(11, t0 + 2));  // it has an entry
    assert_false(admit(12, t0 + hour_ms - 1));
    assert_true(admit(12, t0 + hour_ms));
}

TEST(the_verdict_follows_the_clock) {
    Fixture f;
    f.put({.number = 1});
    assert_true(f.verdict(1, t0 + 59'999) == Verdict::fresh);
    assert_true(f.verdict(1, t0 + 60'000) == Verdict::stale_while);
    assert_true(f.verdict(1, t0 + 60'000 + 3'600'000) == Verdict::stale_error);
    Found dead = f.look(1, t0 + 60'000 + 86'400'000);
    assert_true(dead.verdict == Verdict::dead && dead.hold == 0);
    assert_int_equal(f.zone.usage().entries, 0);
}

TEST(an_entry_replaced_while_held_stays_what_it_was) {
    Fixture f;
    Spec old{.number = 1, .version = 1, .size = 5000},
        young{.number = 1, .version = 2, .size = 7000, .created_ms = t0 + 1};
    f.put(old);
    Found held = f.find(1);
    f.put(young);
    assert_true(f.stored);
    for (unsigned other = 2; other < 50; other++) f.put({.number = other, .size = 5000});
    assert_text_equal(bytes_of(f.zone, held), make(old).bytes());
    Found found = f.find(1);
    assert_text_equal(bytes_of(f.zone, found), make(young).bytes());
    assert_true(found.version != held.version);
    std::size_t before = f.zone.usage().free_bytes;
    f.zone.release(held.hold);
    assert_true(f.zone.usage().free_bytes >= before + 5000);
    f.zone.release(found.hold);
    assert_int_equal(f.zone.usage().holds, 0);
}

TEST(an_older_render_never_replaces_a_younger_one) {
    Fixture f;
    f.put({.number = 1, .version = 1, .fence = 7, .created_ms = t0 + 5});
    f.put({.number = 1, .version = 2, .fence = 6, .created_ms = t0 + 9});  // rendered with knowledge of fewer purges
    assert_false(f.stored);
    f.put({.number = 1, .version = 3, .fence = 7, .created_ms = t0 + 4});
    assert_false(f.stored);
    f.put({.number = 1, .version = 4, .fence = 7, .created_ms = t0 + 5});
    assert_true(f.stored);
    f.put({.number = 1, .version = 5, .fence = 8, .created_ms = t0 + 1});
    assert_true(f.stored);
}

TEST(each_entry_put_there_has_a_version_of_its_own) {
    Fixture f;
    f.put({.number = 1});
    auto first = f.look(1).version;
    assert_int_equal(f.look(1).version, first);
    f.put({.number = 2});
    f.put({.number = 1});
    assert_true(f.look(1).version != first && f.look(1).version != f.look(2).version);
}

TEST(a_forgotten_entry_is_gone_for_all_but_who_holds_it) {
    Fixture f;
    f.put({.number = 1});
    Found held = f.find(1);
    f.zone.forget(key_number(1));
    f.zone.forget(key_number(2));
    assert_true(f.find(1).hold == 0);
    assert_text_equal(bytes_of(f.zone, held), make({.number = 1}).bytes());
    f.zone.release(held.hold);
}

TEST(releasing_nothing_or_twice_does_no_harm) {
    Fixture f;
    f.put({.number = 1});
    Found held = f.find(1), other = f.find(1);
    f.zone.release(0);
    f.zone.release(held.hold);
    f.zone.release(held.hold);
    assert_int_equal(f.zone.usage().holds, 1);
    assert_text_equal(bytes_of(f.zone, other), make({.number = 1}).bytes());
    f.zone.release(other.hold);
}

// ---- memory

TEST(the_least_recently_used_goes_first) {
    Fixture f;
    unsigned count = 0;
    for (; f.counter(Counter::evictions) == 0; count++) f.put({.number = count, .size = 20'000});
    assert_true(f.find(0).hold == 0);
    // Use the oldest one that is left; then the next one is evicted.
    Found used = f.look(1, t0 + 2000);
    assert_true(used.hold != 0);
    f.put({.number = count++, .size = 20'000}, 0, t0 + 2000);
    assert_true(f.look(1, t0 + 2000).hold != 0);
    assert_true(f.look(2, t0 + 2000).hold == 0);
}

TEST(what_is_held_is_not_overwritten_however_much_comes_in) {
    Fixture f;
    std::map<unsigned, Found> held;
    for (unsigned i = 0; i < 10; i++) {
        f.put({.number = i, .size = 10'000});
        held[i] = f.find(i);
    }
    for (unsigned i = 10; i < 500; i++) f.put({.number = i, .size = 10'000});
    for (auto& [number, found] : held) {
        assert_text_equal(bytes_of(f.zone, found), make({.number = number, .size = 10'000}).bytes());
        f.zone.release(found.hold);
    }
}

TEST(a_page_being_filled_is_not_evicted) {
    Fixture f;
    assert_true(f.zone.claim_fill(key_number(1), 3, t0, 60'000) == Fill::mine);
    for (unsigned i = 10; i < 300; i++) f.put({.number = i, .size = 10'000});
    assert_true(f.zone.claim_fill(key_number(1), 4, t0, 60'000) == Fill::wait);
    assert_int_equal(f.put({.number = 1}), 1u << 4);
}

TEST(an_entry_too_large_is_not_stored_and_ends_the_fill) {
    Fixture f;
    f.zone.claim_fill(key_number(1), 0, t0, 60'000);
    f.zone.claim_fill(key_number(1), 9, t0, 60'000);
    assert_int_equal(f.put({.number = 1, .size = min_zone_bytes / 4}), 1u << 9);
    assert_false(f.stored);
    assert_true(f.find(1).hold == 0);
    assert_int_equal(f.put({.number = 2, .size = min_zone_bytes * 4}), 0);
    assert_false(f.stored);
    assert_true(f.zone.claim_fill(key_number(1), 0, t0, 60'000) == Fill::mine);
}

TEST(an_entry_too_large_takes_its_older_ones_place_all_the_same) {
    Fixture f;
    f.put({.number = 1, .version = 1});
    f.put({.number = 1, .version = 2, .size = min_zone_bytes, .created_ms = t0 + 1});
    assert_false(f.stored);
    assert_true(f.find(1).hold == 0);  // it would be stale from now on
    f.put({.number = 2, .version = 2, .created_ms = t0 + 1});
    f.put({.number = 2, .version = 1, .size = min_zone_bytes});
    assert_true(f.look(2).hold != 0);  // ... but a younger one stays
}

// A full zone after some use: recently used entries are scattered among others.
struct LivedIn : Fixture {
    LivedIn() : Fixture(16u << 20) {
        Random random(7);
        unsigned pages = 0;
        while (counter(Counter::evictions) == 0) put({.number = pages++, .size = 2000 + random(10'000)});
        for (unsigned i = 0; i < 4 * pages; i++) {
            unsigned number = random(10) < 8 ? random(pages / 4) : random(pages * 5 / 4);
            if (look(number, now += 10).hold == 0)
                put({.number = number, .size = 2000 + random(10'000)}, 0, now);
        }
    }
    std::int64_t now = t0;
};

TEST(a_large_entry_evicts_about_as_much_as_it_has) {
    for (std::size_t size : {64u << 10, 256u << 10, 1u << 20, 3u << 20}) {
        LivedIn f;
        std::uint32_t entries = f.zone.usage().entries;
        std::size_t average = (16u << 20) / entries;
        f.put({.number = 100'000, .size = size}, 0, f.now);
        assert_true(f.stored);
        std::size_t evicted = (entries + 1 - f.zone.usage().entries) * average;
        assert_true(evicted < size * 3 / 2 + (64u << 10));
        assert_true(f.zone.consistent());
        Found found = f.find(100'000, f.now);
        assert_true(found.rest != 0);
        Spec spec{.number = 100'000, .size = size};
        assert_text_equal(bytes_of(f.zone, found), make(spec).bytes());
        f.zone.release(found.hold);
        f.zone.forget(key_number(100'000));
        assert_true(f.zone.consistent());
    }
}

TEST(the_pieces_of_what_is_gone_are_memory_again) {
    LivedIn f;
    for (unsigned round = 0; round < 300; round++) {
        std::size_t size = round % 3 == 0 ? 2u << 20 : 5000;
        f.put({.number = 100'000 + round % 20, .version = round, .size = size, .created_ms = t0 + round}, 0, f.now);
        assert_true(f.stored);
        if (round % 7 == 0) f.zone.forget(key_number(100'000 + round % 20));
    }
    assert_true(f.zone.consistent());
}

// Counts how often the lock is taken.
class CountingLock final : public Lock {
public:
    void lock() override { taken++; }
    void unlock() override {}
    unsigned taken = 0;
};

TEST(no_work_holds_the_lock_for_longer_than_a_slice) {
    SharedMemory memory(16u << 20);
    CountingLock lock;
    Zone zone(memory.area(), memory.size, lock, true);
    unsigned number = 0;
    auto evictions = [&] { return zone.stats().counters[static_cast<unsigned>(Counter::evictions)].load(); };
    auto put = [&](std::size_t size) {
        Made made = make({.number = number, .size = size});
        zone.insert(key_number(number++), 0, made.prefix, made.body, t0);
    };
    while (evictions() == 0) put(1000);
    auto before = evictions();
    lock.taken = 0;
    put(1u << 20);
    assert_true(evictions() - before > 500);
    assert_true(lock.taken * slice_steps >= evictions() - before);

    for (unsigned i = 0; i < 1000; i++) zone.claim_refresh(key_number(number - 1 - i), t0, 60'000);
    lock.taken = 0;
    unsigned asked = 0;
    zone.sweep([&asked](int) { return ++asked == 0; });
    assert_int_equal(asked, 1);  // all claims belong to one process
    assert_true(lock.taken * slice_steps >= 1000);
    assert_true(zone.claim_refresh(key_number(number - 1), t0, 60'000));

    constexpr unsigned purge_slots = (16u << 20) / 1024;
    zone.purge(1, tag_hash("t"), PurgeMode::hard, 0, t0);
    lock.taken = 0;
    assert_int_equal(zone.owed(1, 10).size(), 1);
    assert_true(lock.taken * read_steps >= purge_slots);
    lock.taken = 0;
    zone.owe_again(1, 0);
    assert_true(lock.taken * read_steps >= purge_slots);
    assert_true(zone.consistent());
}

TEST(when_every_byte_is_held_nothing_is_stored_and_nothing_breaks) {
    Fixture f;
    std::vector<Hold> holds;
    for (unsigned i = 0; i < 200; i++) {
        f.put({.number = i, .size = 10'000});
        if (!f.stored) break;
        holds.push_back(f.find(i).hold);
    }
    assert_true(holds.size() > 50 && !f.stored);
    assert_true(f.zone.consistent());
    for (Hold hold : holds) f.zone.release(hold);
    f.put({.number = 1000, .size = 10'000});
    assert_true(f.stored);
}

TEST(without_a_free_hold_it_is_a_miss_until_one_is_released) {
    Fixture f;
    f.put({.number = 1});
    std::vector<Hold> holds;
    for (;;) {
        Found found = f.find(1);
        if (found.hold == 0) {
            assert_true(found.verdict == Verdict::dead && found.entry.empty());
            break;
        }
        holds.push_back(found.hold);
    }
    assert_true(holds.size() >= 1000);
    f.put({.number = 2});
    assert_false(f.stored);
    assert_true(f.zone.consistent());
    f.zone.release(holds.back());
    holds.pop_back();
    assert_true(f.look(1).hold != 0);
    for (Hold hold : holds) f.zone.release(hold);
    assert_int_equal(f.zone.usage().holds, 0);
}

TEST(what_is_there_survives_a_new_look_at_it_and_a_fresh_start_empties_it) {
    SharedMemory memory(min_zone_bytes);
    Made made = make({.number = 1});
    {
        World world(memory);
        world.zone.insert(key_number(1), 0, made.prefix, made.body, t0);
    }
    {
        World world(memory, false);
        Found found = world.zone.find(key_number(1), t0);
        assert_text_equal(bytes_of(world.zone, found), made.bytes());
        world.zone.release(found.hold);
    }
    World world(memory, true);
    assert_true(world.zone.find(key_number(1), t0).hold == 0);
    assert_true(world.zone.consistent());
}

TEST(a_zone_of_any_size_works) {
    for (std::size_t size :
         {min_zone_bytes, min_zone_bytes + 17 * 16, std::size_t{3} << 20, std::size_t{64} << 20}) {
        Fixture f(size);
        for (unsigned i = 0; i < 300; i++) f.put({.number = i, .size = 7000});
        assert_true(f.look(299).hold != 0);
        assert_int_equal(f.zone.usage().holds, 0);
    }
}

// ---- pass markers, fills, leases

TEST(a_pass_marker_lasts_as_long_as_it_says) {
    Fixture f;
    f.zone.claim_fill(key_number(1), 0, t0, 60'000);
    f.zone.claim_fill(key_number(1), 2, t0, 60'000);
    f.zone.claim_fill(key_number(1), 5, t0, 60'000);
    assert_int_equal(f.zone.pass(key_number(1), t0, 1000), 1u << 2 | 1u << 5);
    assert_true(f.find(1).pass);
    assert_true(f.zone.claim_fill(key_number(1), 0, t0 + 999, 60'000) == Fill::pass);
    assert_false(f.find(1, t0 + 1000).pass);
    assert_true(f.zone.claim_fill(key_number(1), 0, t0 + 1000, 60'000) == Fill::mine);
    f.zone.pass(key_number(1), t0, 1'000'000);
    f.put({.number = 1});
    assert_false(f.look(1).pass);  // it turned out to be storable
}

TEST(one_fills_the_others_wait_and_are_woken_once) {
    Fixture f;
    Key key = key_number(1);
    assert_true(f.zone.claim_fill(key, 1, t0, 5000) == Fill::mine);
    for (unsigned worker : {0u, 1u, 63u, 64u + 7u})
        assert_true(f.zone.claim_fill(key, worker, t0 + 10, 5000) == Fill::wait);
    assert_int_equal(f.put({.number = 1}), 1u | 1u << 1 | 1u << 7 | std::uint64_t{1} << 63);
    assert_int_equal(f.put({.number = 1}), 0);
    assert_true(f.zone.claim_fill(key, 1, t0, 5000) == Fill::mine);
    assert_true(f.zone.claim_fill(key, 2, t0, 5000) == Fill::wait);
    assert_int_equal(f.zone.abandon(key), 1u << 2);
    assert_int_equal(f.zone.abandon(key), 0);
    assert_int_equal(f.zone.abandon(key_number(99)), 0);
    assert_true(f.zone.claim_fill(key, 3, t0, 5000) == Fill::mine);
    assert_true(f.zone.claim_fill(key_number(2), 3, t0, 5000) == Fill::mine);  // another page has another lock
}

TEST(a_fill_that_never_ends_is_taken_over_and_its_waiters_are_still_woken) {
    Fixture f;
    Key key = key_number(1);
    f.zone.claim_fill(key, 1, t0, 5000);
    f.zone.claim_fill(key, 2, t0, 5000);
    assert_true(f.zone.claim_fill(key, 3, t0 + 4999, 5000) == Fill::wait);
    assert_true(f.zone.claim_fill(key, 4, t0 + 5000, 5000) == Fill::mine);
    assert_int_equal(f.put({.number = 1}), 1u << 2 | 1u << 3);
}

TEST(who_fills_waits_for_news_of_another_machine_s_fill) {
    Fixture f;
    assert_int_equal(f.zone.changed(key_number(1)), 0);
    assert_int_equal(f.zone.lease_changed(key_number(1)), 0);
    f.zone.claim_fill(key_number(1), 0, t0, 60'000);
    f.zone.claim_fill(key_number(1), 5, t0, 60'000);
    std::uint16_t known = f.zone.news(key_number(1));
    assert_true(f.zone.await_news(key_number(1), 3, known));
    assert_int_equal(f.zone.lease_changed(key_number(1)), 1u << 3);  // who waits for news, not who waits for the fill
    assert_int_equal(f.zone.lease_changed(key_number(1)), 0);
    assert_false(f.zone.await_news(key_number(1), 3, known));  // there was news meanwhile
    known = f.zone.news(key_number(1));
    assert_true(f.zone.await_news(key_number(1), 3, known));
    assert_int_equal(f.zone.changed(key_number(1)), 1u << 3);
    assert_false(f.zone.await_news(key_number(1), 3, known));
    assert_true(f.zone.await_news(key_number(1), 3, f.zone.news(key_number(1))));
    assert_int_equal(f.zone.abandon(key_number(1)), 1u << 5);
    assert_int_equal(f.zone.changed(key_number(1)), 0);  // nobody fills it any more
    assert_int_equal(f.zone.lease_changed(key_number(1)), 0);
    assert_true(f.zone.consistent());
}

TEST(an_older_render_still_ends_the_fill) {
    Fixture f;
    f.put({.number = 1, .fence = 9});
    f.zone.claim_fill(key_number(1), 1, t0, 5000);
    f.zone.claim_fill(key_number(1), 2, t0, 5000);
    assert_int_equal(f.put({.number = 1, .fence = 8}), 1u << 2);
}

TEST(one_refresh_for_each_lease) {
    Fixture f;
    Key key = key_number(1);
    assert_true(f.zone.claim_refresh(key, t0, 5000));
    assert_false(f.zone.claim_refresh(key, t0 + 4999, 5000));
    assert_true(f.zone.claim_refresh(key, t0 + 5000, 5000));
    f.put({.number = 1});  // renewed: the next time it is stale, one may ask at once
    assert_true(f.zone.claim_refresh(key, t0 + 5001, 5000));
    f.zone.postpone_refresh(key, t0 + 90'000);
    assert_false(f.zone.claim_refresh(key, t0 + 89'999, 5000));
    assert_true(f.zone.claim_refresh(key, t0 + 90'000, 5000));
    f.zone.postpone_refresh(key_number(2), t0 + 90'000);  // there is no such node
    assert_true(f.zone.claim_refresh(key_number(2), t0, 5000));
}

// ---- purges

// Sequences are times by the store's clock; stale windows are measured by ours.
TEST(the_time_of_a_purge_is_told_by_our_clock) {
    for (std::int64_t ahead_ms : {0, 60'000, -60'000}) {
        Fixture f;
        f.put({.number = 1, .fence = sequence0 - 100'000'000, .tags = {"all"}}, 1);
        f.zone.set_clock(1, ahead_ms);
        f.zone.purge(1, tag_hash("all"), PurgeMode::soft, static_cast<std::uint64_t>(t0 + ahead_ms) * 1000, t0);
        assert_true(f.verdict(1, t0) == Verdict::stale_while);
        assert_true(f.verdict(1, t0 + 3'599'999) == Verdict::stale_while);
        assert_true(f.verdict(1, t0 + 3'600'000) == Verdict::stale_error);
    }
}

// Otherwise it would hide the purges that the store orders next.
TEST(a_sequence_that_we_draw_is_never_ahead_of_the_stores_clock) {
    for (std::int64_t ahead_ms : {0, 60'000, -60'000}) {
        Fixture f;
        std::uint64_t unknown = f.zone.purge(1, 7, PurgeMode::soft, 0, t0);
        assert_int_equal(unknown, f.zone.last_purge(1));
        assert_true(unknown < static_cast<std::uint64_t>(t0 - 60'000) * 1000);
        f.zone.set_clock(1, ahead_ms);
        std::uint64_t drawn = f.zone.purge(1, 7, PurgeMode::soft, 0, t0);
        assert_true(drawn > unknown && drawn < static_cast<std::uint64_t>(t0 + ahead_ms) * 1000);
    }
}

TEST(a_soft_purge_makes_stale_a_hard_one_removes) {
    Fixture f;
    for (unsigned i = 0; i < 4; i++)
        f.put({.number = i, .fence = sequence0, .tags = {"all", i % 2 ? "odd" : "even"}}, 1);
    f.zone.purge(1, tag_hash("odd"), PurgeMode::soft, sequence0 + 1000, t0);
    f.zone.purge(1, tag_hash("even"), PurgeMode::hard, sequence0 + 1000, t0);
    assert_true(f.verdict(1, t0) == Verdict::stale_while);  // though the purge's clock is a millisecond ahead
    assert_true(f.verdict(1, t0 + 1) == Verdict::stale_while);
    assert_true(f.verdict(1, t0 + 1 + 3'600'000) == Verdict::stale_error);
    assert_true(f.verdict(0) == Verdict::dead && f.find(0).hold == 0);
    f.put({.number = 0, .version = 2, .fence = sequence0 + 1000, .tags = {"all", "even"}}, 1);
    assert_true(f.verdict(0, t0 + 1) == Verdict::fresh);  // rendered after the purge
    f.zone.purge(1, tag_hash("all"), PurgeMode::hard, sequence0 + 2000, t0);
    for (unsigned i = 0; i < 4; i++) assert_true(f.verdict(i, t0 + 1) == Verdict::dead);
}

TEST(a_url_is_purged_by_its_own_tag) {
    Fixture f;
    f.put({.number = 1, .fence = 5}, 1);
    f.put({.number = 2, .fence = 5}, 1);
    f.zone.purge(1, url_tag_hash("example.org", "/1"), PurgeMode::hard, sequence0, t0);
    assert_true(f.verdict(1) == Verdict::dead && f.verdict(2) == Verdict::fresh);
}

TEST(each_domain_has_its_own_purges) {
    Fixture f;
    for (unsigned domain = 0; domain < 5; domain++)
        f.put({.number = domain, .fence = 5, .tags = {"t"}}, domain);
    f.zone.purge(3, tag_hash("t"), PurgeMode::hard, sequence0, t0);
    f.zone.raise_floor(4, sequence0);
    for (unsigned domain = 0; domain < 3; domain++) {
        assert_true(f.verdict(domain) == Verdict::fresh);
        assert_int_equal(f.zone.last_purge(domain), 0);
    }
    assert_true(f.verdict(3) == Verdict::dead);
    assert_true(f.verdict(4) == Verdict::stale_while);
    assert_int_equal(f.zone.last_purge(3), sequence0);
}

TEST(a_purge_without_a_sequence_draws_the_next) {
    Fixture f;
    assert_int_equal(f.zone.purge(0, 1, PurgeMode::soft, 0, t0), sequence0);
    assert_int_equal(f.zone.purge(0, 1, PurgeMode::soft, 0, t0), sequence0 + 1);
    assert_int_equal(f.zone.purge(0, 2, PurgeMode::soft, 0, t0 - 5000), sequence0 + 2);  // the clock was set back
    assert_int_equal(f.zone.last_purge(0), sequence0 + 2);
    assert_int_equal(f.zone.purge(0, 3, PurgeMode::soft, 7, t0), 7);  // learned of late
    assert_int_equal(f.zone.last_purge(0), sequence0 + 2);
}

// The store has not ordered the purge, so fences that others draw there may be above it without knowing it.
TEST(a_purge_that_the_store_is_owed_counts_for_all_that_comes_from_there) {
    Fixture f;
    auto foreign = make({.number = 1, .fence = sequence0 + 1'000'000, .tags = {"t"}});
    auto verdict = [&] { return f.zone.judge_foreign(EntryView::trusted(foreign.bytes()), 1, t0).verdict; };
    std::uint64_t drawn = f.zone.purge(1, tag_hash("t"), PurgeMode::hard, 0, t0);
    assert_true(verdict() == Verdict::dead);
    f.zone.insert(key_number(1), 1, foreign.prefix, foreign.body, t0, nullptr, true);
    assert_true(f.verdict(1, t0) == Verdict::dead);
    assert_int_equal(f.zone.owed(1, 10).size(), 1);
    assert_int_equal(f.zone.owed(2, 10).size(), 0);

    std::uint64_t again = f.zone.purge(1, tag_hash("t"), PurgeMode::soft, 0, t0);
    f.zone.settle(1, tag_hash("t"), PurgeMode::soft, again, sequence0 + 10, t0);
    assert_true(f.zone.owed(1, 10).size() == 1 && f.zone.owed(1, 10)[0].mode == PurgeMode::hard);  // only the soft one has arrived
    f.zone.settle(1, tag_hash("t"), PurgeMode::hard, drawn, sequence0 + 11, t0);
    f.zone.settle(1, tag_hash("t"), PurgeMode::hard, f.zone.owed(1, 10)[0].drawn, sequence0 + 12, t0);
    assert_int_equal(f.zone.owed(1, 10).size(), 0);
    foreign = make({.number = 1, .fence = sequence0 + 2'000'000, .tags = {"t"}});
    assert_true(verdict() == Verdict::fresh);  // now fences tell what was known

    f.zone.owe_again(1, sequence0 + 13);
    assert_int_equal(f.zone.owed(1, 10).size(), 0);
    f.zone.owe_again(1, sequence0 + 12);
    assert_int_equal(f.zone.owed(1, 10).size(), 1);
}

// A sequence drawn here is above the fences of all entries that came from the store.
TEST(a_purge_that_is_drawn_counts_for_what_knew_of_purges_not_heard_of_here) {
    Fixture f;
    auto foreign = make({.number = 1, .fence = sequence0 + 1'000'000, .tags = {"t"}});
    f.zone.insert(key_number(1), 1, foreign.prefix, foreign.body, t0, nullptr, true);
    assert_true(f.verdict(1, t0) == Verdict::fresh);
    f.zone.purge(1, tag_hash("t"), PurgeMode::hard, 0, t0);
    assert_true(f.verdict(1, t0) == Verdict::dead);
}

TEST(a_purge_heard_of_late_still_counts) {
    Fixture f;
    f.put({.number = 1, .fence = sequence0, .tags = {"t"}}, 1);
    f.put({.number = 2, .fence = sequence0, .tags = {"t"}}, 1);
    f.zone.purge(1, tag_hash("other"), PurgeMode::soft, sequence0 + 10, t0);
    assert_true(f.verdict(1, t0 + 1) == Verdict::fresh);  // so it is known to have seen sequence0 + 10
    f.zone.purge(1, tag_hash("t"), PurgeMode::soft, sequence0 + 5, t0);
    assert_true(f.verdict(2, t0 + 1) == Verdict::stale_while);
    assert_true(f.verdict(1, t0 + 1) == Verdict::stale_while);
}

TEST(a_floor_raised_late_still_counts) {
    Fixture f;
    f.put({.number = 1, .fence = sequence0}, 1);
    f.zone.purge(1, tag_hash("other"), PurgeMode::soft, sequence0 + 10, t0);
    assert_true(f.verdict(1, t0 + 1) == Verdict::fresh);
    f.zone.raise_floor(1, sequence0 + 5);
    assert_true(f.verdict(1, t0 + 1) == Verdict::stale_while);
    assert_int_equal(f.zone.last_purge(1), sequence0 + 10);
}

TEST(a_second_soft_purge_makes_no_staler_and_a_hard_one_does) {
    Fixture f;
    f.put({.number = 1, .fence = sequence0, .tags = {"t"}}, 1);
    f.zone.purge(1, tag_hash("t"), PurgeMode::soft, sequence0 + 1, t0);
    std::int64_t stale_end = t0 + 3'600'000;
    assert_true(f.verdict(1, stale_end - 1) == Verdict::stale_while);
    f.zone.purge(1, tag_hash("t"), PurgeMode::soft, sequence0 + 30'000'000, t0);
    assert_true(f.verdict(1, stale_end - 1) == Verdict::stale_while);
    assert_true(f.verdict(1, stale_end) == Verdict::stale_error);
    f.zone.purge(1, tag_hash("t"), PurgeMode::hard, sequence0 + 2, t0);
    assert_true(f.verdict(1, t0 + 1) == Verdict::dead);
}

TEST(an_entry_from_the_store_is_judged_by_the_purges_known_here) {
    Fixture f;
    std::string bytes = make({.number = 1, .fence = sequence0, .tags = {"t"}}).bytes();
    EntryView entry = EntryView::trusted(bytes);
    assert_true(f.zone.judge_foreign(entry, 1, t0 + 1).verdict == Verdict::fresh);
    f.zone.purge(1, tag_hash("t"), PurgeMode::soft, sequence0, t0);
    assert_true(f.zone.judge_foreign(entry, 1, t0 + 1).verdict == Verdict::fresh);  // it saw that purge
    f.zone.purge(1, tag_hash("t"), PurgeMode::soft, sequence0 + 1, t0);
    assert_true(f.zone.judge_foreign(entry, 1, t0 + 1).verdict == Verdict::stale_while);
    assert_true(f.zone.judge_foreign(entry, 2, t0 + 1).verdict == Verdict::fresh);
    f.zone.purge(1, url_tag_hash("example.org", "/1"), PurgeMode::hard, sequence0 + 2, t0);
    assert_true(f.zone.judge_foreign(entry, 1, t0 + 1).verdict == Verdict::dead);
    // Inserting it after the purge makes no difference.
    f.put({.number = 1, .fence = sequence0, .tags = {"t"}}, 1);
    assert_true(f.verdict(1, t0 + 1) == Verdict::dead);
}

// More purges than the table holds: entries that may have missed a dropped one count as purged, whatever their tags.
TEST(nothing_purged_is_ever_served_as_fresh_however_many_purges_there_were) {
    for (unsigned seed = 0; seed < 4; seed++) {
        Fixture f;
        Random random(seed);
        struct Purged {
            std::uint64_t soft = 0, hard = 0;
        };
        std::map<std::pair<unsigned, unsigned>, Purged> purged;  // by domain and tag
        auto tag = [](unsigned number) { return "tag" + std::to_string(number); };
        auto judge_all = [&](std::int64_t now) {
            unsigned fresh = 0;
            for (int i = 0; i < 200; i++) {
                unsigned domain = random(3), number = random(4000);
                std::uint64_t fence = sequence0 + random(12'000);
                std::string name = tag(number);
                std::string bytes = make({.number = 1, .fence = fence, .tags = {name}}).bytes();
                Verdict verdict = f.zone.judge_foreign(EntryView::trusted(bytes), domain, now).verdict;
                Purged p = purged[{domain, number}];
                if (p.hard > fence) assert_true(verdict == Verdict::dead);
                if (p.soft > fence) assert_true(verdict != Verdict::fresh);
                fresh += verdict == Verdict::fresh;
            }
            return fresh;
        };
        for (unsigned step = 0; step < 6000; step++) {
            unsigned domain = random(3), number = random(4000);
            bool hard = random(4) == 0;
            std::uint64_t sequence = sequence0 + 2 * step - random(20);  // not strictly ascending
            f.zone.purge(domain, tag_hash(tag(number)), hard ? PurgeMode::hard : PurgeMode::soft, sequence,
                         t0);
            auto& known = hard ? purged[{domain, number}].hard : purged[{domain, number}].soft;
            known = std::max(known, sequence);
            if (step % 500 == 499) judge_all(t0 + 30);
        }
        assert_true(judge_all(t0 + 30) > 0);  // ... without purging everything
        std::string bytes = make({.number = 1, .fence = f.zone.last_purge(1), .tags = {"tag1"}}).bytes();
        assert_true(f.zone.judge_foreign(EntryView::trusted(bytes), 1, t0 + 30).verdict == Verdict::fresh);
    }
}

TEST(a_full_purge_table_changes_no_verdict) {
    Fixture f;
    f.put({.number = 1, .fence = sequence0, .tags = {"first"}}, 1);
    f.put({.number = 2, .fence = sequence0 + 100'000, .tags = {"last"}}, 1);
    f.zone.purge(1, tag_hash("first"), PurgeMode::soft, sequence0 + 1, t0);
    for (unsigned i = 2; i < 5000; i++)
        f.zone.purge(1, tag_hash(std::to_string(i)), PurgeMode::soft, sequence0 + i, t0);
    assert_true(f.verdict(1, t0 + 10) == Verdict::stale_while);
    assert_true(f.verdict(2, t0 + 10) == Verdict::fresh);
    assert_true(f.counter(Counter::purges_forgotten) > 3000);
}

TEST(a_purge_older_than_all_that_are_remembered_counts_too) {
    Fixture f;
    for (unsigned i = 0; i < 5000; i++)
        f.zone.purge(1, tag_hash(std::to_string(i)), PurgeMode::soft, sequence0 + 1000 + i, t0);
    f.put({.number = 1, .fence = sequence0, .tags = {"t"}}, 2);
    f.put({.number = 2, .fence = sequence0 + 10, .tags = {"t"}}, 2);
    f.zone.purge(2, tag_hash("t"), PurgeMode::hard, sequence0 + 5, t0);
    assert_true(f.verdict(1, t0 + 10) == Verdict::dead);
    assert_true(f.verdict(2, t0 + 10) == Verdict::fresh);
}

// ---- coherence with the store

TEST(an_entry_of_the_near_cache_alone_asks_no_store) {
    Fixture f;
    f.put({.number = 1}, 0);
    f.zone.changed(key_number(1));
    f.zone.set_told(0, true);
    assert_false(f.look(1, t0 + 50'000).check_store);
}

TEST(an_entry_is_used_for_a_second_untold_and_for_ten_told_before_the_store_is_asked) {
    Fixture f;
    f.put({.number = 1}, 1);
    assert_false(f.look(1, t0 + 999).check_store);
    assert_true(f.look(1, t0 + 1000).check_store);
    assert_false(f.look(1, t0 + 1000).check_store);  // one asks, the others use what is here
    assert_false(f.look(1, t0 + 1999).check_store);
    assert_true(f.look(1, t0 + 2000).check_store);
    assert_true(f.look(1, t0 + 100).check_store);  // the clock was set back: ask
    f.zone.set_told(1, true);
    f.put({.number = 2}, 1);
    assert_false(f.look(2, t0 + 9999).check_store);
    assert_true(f.look(2, t0 + 10'000).check_store);
    f.zone.set_coherence({.told_ms = 50, .untold_ms = 5});
    f.put({.number = 3}, 1);
    assert_false(f.look(3, t0 + 49).check_store);
    assert_true(f.look(3, t0 + 50).check_store);
}

TEST(after_news_of_a_change_one_caller_asks_the_store) {
    Fixture f;
    f.zone.set_told(1, true);
    f.put({.number = 1}, 1);
    f.zone.changed(key_number(1));
    f.zone.changed(key_number(2));  // unknown key: nothing to do
    assert_true(f.look(1).check_store);
    assert_false(f.look(1).check_store);
}

// The store did not answer, or whoever asked it is gone.
TEST(a_change_is_not_forgotten_by_a_look_that_failed) {
    Fixture f;
    f.zone.set_told(1, true);
    f.put({.number = 1}, 1);
    f.zone.changed(key_number(1));
    assert_true(f.look(1, t0).check_store);
    assert_false(f.look(1, t0 + 999).check_store);
    auto found = f.look(1, t0 + 1000);
    assert_true(found.check_store);
    f.zone.checked(key_number(1), found.check, t0 + 1001);
    assert_false(f.look(1, t0 + 11'000).check_store);
    assert_true(f.look(1, t0 + 11'001).check_store);
}

TEST(an_answer_confirms_no_more_than_what_was_known_when_the_store_was_asked) {
    Fixture f;
    f.zone.set_told(1, true);
    f.put({.number = 1}, 1);
    f.zone.changed(key_number(1));
    auto found = f.look(1);
    f.zone.changed(key_number(1));
    f.zone.checked(key_number(1), found.check, t0);
    found = f.look(1);
    assert_true(found.check_store);
    f.zone.set_told(1, false);
    f.zone.set_told(1, true);
    f.zone.checked(key_number(1), found.check, t0);
    assert_true(f.look(1).check_store);
}

TEST(a_change_told_while_the_store_answers_is_not_lost) {
    Fixture f;
    f.zone.set_told(1, true);
    f.put({.number = 1, .version = 1}, 1);
    f.zone.changed(key_number(1));
    assert_true(f.look(1).check_store);  // asked; the store answers with version 2 ...
    f.zone.changed(key_number(1));       // ... but gets version 3 before the answer arrives
    f.put({.number = 1, .version = 2}, 1);
    assert_true(f.look(1).check_store);
    assert_false(f.look(1).check_store);
}

TEST(a_change_told_while_a_page_is_first_fetched_is_not_lost) {
    Fixture f;
    f.zone.set_told(1, true);
    assert_true(f.zone.claim_fill(key_number(1), 0, t0, 60'000) == Fill::mine);
    f.zone.changed(key_number(1));
    f.put({.number = 1}, 1);
    assert_true(f.look(1).check_store);
    assert_false(f.look(1).check_store);
}

TEST(asking_the_store_covers_all_changes_told_before) {
    Fixture f;
    f.zone.set_told(1, true);
    f.put({.number = 1}, 1);
    f.zone.forget(key_number(1));
    f.zone.changed(key_number(1));
    f.look(1);  // a miss, after which the store is asked
    f.put({.number = 1}, 1);
    assert_false(f.look(1).check_store);
}

TEST(losing_and_regaining_the_store_s_word_makes_every_entry_of_it_due) {
    Fixture f;
    f.zone.set_told(1, true);
    f.zone.set_told(2, true);
    for (unsigned i = 0; i < 4; i++) f.put({.number = i}, 1 + i % 2);
    f.zone.set_told(1, true);  // it was told before: nothing changes
    assert_false(f.look(0).check_store);
    f.zone.set_told(1, false);
    for (unsigned i = 0; i < 4; i++) assert_int_equal(f.look(i).check_store, i % 2 == 0);
    f.zone.set_told(1, true);  // we were not told of changes in between
    for (unsigned i = 0; i < 4; i++) assert_int_equal(f.look(i).check_store, i % 2 == 0);
    for (unsigned i = 0; i < 4; i++) assert_false(f.look(i).check_store);
}

TEST(who_is_woken_learns_for_which_keys) {
    Fixture f;
    std::uint64_t position = f.zone.woken_position();
    std::vector<std::uint64_t> woken;
    auto read = [&] {
        woken.clear();
        return f.zone.each_woken(position, [&](std::uint64_t hash) { woken.push_back(hash); });
    };
    auto fill = [&](unsigned number) {
        f.zone.claim_fill(key_number(number), 0, t0, 60'000);
        f.zone.claim_fill(key_number(number), 1, t0, 60'000);
    };
    fill(1);
    fill(2);
    f.zone.claim_fill(key_number(3), 0, t0, 60'000);
    f.zone.abandon(key_number(3));  // nobody waits
    assert_true(read() && woken.empty());
    f.zone.abandon(key_number(2));
    f.put({.number = 1});
    assert_true(read());
    assert_true(woken == (std::vector<std::uint64_t>{key_number(2).bucket_hash(), key_number(1).bucket_hash()}));
    assert_true(read() && woken.empty());
    fill(4);
    f.zone.await_news(key_number(4), 2, f.zone.news(key_number(4)));
    f.zone.lease_changed(key_number(4));
    f.zone.sweep([](int) { return false; });
    assert_true(read() && woken.size() == 2 && woken[0] == woken[1]);
    for (unsigned i = 0; i < 300; i++) {  // more than the zone remembers
        fill(i);
        f.zone.abandon(key_number(i));
    }
    assert_false(read());
    assert_true(read() && woken.empty());
}

TEST(a_domain_is_the_same_in_every_process_and_after_a_reload) {
    SharedMemory memory(min_zone_bytes);
    World first(memory), second(memory, false);
    std::vector<unsigned> numbers;
    for (std::uint64_t identity = 100; identity < 140; identity++) {
        unsigned number = (identity % 2 ? first : second).zone.domain_of(identity);
        assert_true(number > 0 && number < max_domains);
        numbers.push_back(number);
    }
    World reloaded(memory, false);
    for (std::size_t i = 0; i < numbers.size(); i++) {
        assert_int_equal(first.zone.domain_of(100 + i), numbers[i]);
        assert_int_equal(reloaded.zone.domain_of(100 + i), numbers[i]);
        for (std::size_t other = 0; other < i && i < 31; other++) assert_true(numbers[i] != numbers[other]);
    }
    assert_int_equal(numbers[39], numbers[38]);  // more stores than numbers: the last ones share one
    assert_true(first.zone.domain_of(0) > 0);
}

// ---- assembled pages

struct Assembled : Fixture {
    // Page 1 with fragments 2 and 3, assembled.
    Assembled() {
        set_up();
        assert_true(assembled());
    }
    void set_up() {
        for (unsigned number : {1u, 2u, 3u}) put({.number = number, .size = 500, .tags = {"t"}}, 1);
        keep();
    }
    void keep() {
        std::vector<Zone::Part> parts;
        for (unsigned number : {2u, 3u}) parts.push_back({key_number(number), look(number).version});
        zone.keep_assembled(key_number(1), look(1).version, page.prefix, page.body, parts);
    }
    bool assembled(std::int64_t now_ms = t0) {
        Found found = zone.find(key_number(1), now_ms, true);
        if (found.assembled)
            assert_text_equal(bytes_of(zone, found), page.bytes());
        else if (found.hold != 0)
            assert_true(is_version_of(1, bytes_of(zone, found)));
        zone.release(found.hold);
        return found.assembled;
    }
    Made page = make({.number = 1, .version = 99, .size = 1500});
};

TEST(an_assembled_page_is_given_to_who_can_take_it) {
    Assembled f;
    Found plain = f.find(1);
    assert_false(plain.assembled);
    assert_text_equal(bytes_of(f.zone, plain), make({.number = 1, .size = 500, .tags = {"t"}}).bytes());
    f.zone.release(plain.hold);
    assert_true(f.assembled(t0 + 999));
}

TEST(an_assembled_page_ends_with_any_of_its_parts) {
    for (unsigned number : {1u, 2u, 3u}) {
        Assembled replaced;
        replaced.put({.number = number, .version = 2, .created_ms = t0 + 1}, 1);
        assert_false(replaced.assembled());
        Assembled forgotten;
        forgotten.zone.forget(key_number(number));
        assert_false(forgotten.assembled());
        Assembled changed;
        changed.zone.changed(key_number(number));
        assert_false(changed.assembled());
        Assembled purged;
        purged.zone.purge(1, url_tag_hash("example.org", "/" + std::to_string(number)), PurgeMode::soft,
                          sequence0, t0);
        assert_false(purged.assembled());
    }
}

TEST(an_assembled_page_is_believed_no_longer_than_its_parts) {
    Assembled f;
    assert_false(f.assembled(t0 + 1000));  // untold: the store has to be asked
    Assembled told;
    told.zone.set_told(1, true);
    told.set_up();
    assert_true(told.assembled(t0 + 9999));
    assert_false(told.assembled(t0 + 10'000));
    Assembled near;
    near.zone.set_coherence({.told_ms = 1'000'000, .untold_ms = 1'000'000});
    near.put({.number = 3, .life = {t0, 5000, 5000, 5000}, .created_ms = t0 + 1}, 1);
    near.keep();
    assert_true(near.assembled(t0 + 4999));
    assert_false(near.assembled(t0 + 5000));
}

TEST(a_page_assembled_from_what_is_no_longer_there_is_not_kept) {
    Assembled f;
    auto version = f.look(1).version;
    f.put({.number = 1, .version = 2, .created_ms = t0 + 1}, 1);
    f.zone.keep_assembled(key_number(1), version, f.page.prefix, f.page.body, {});
    f.zone.keep_assembled(key_number(77), 1, f.page.prefix, f.page.body, {});
    assert_false(f.assembled());
}

// ---- any order

TEST(random_operations_keep_everything_linked_and_every_byte_right) {
    for (unsigned seed = 0; seed < 6; seed++) {
        Fixture f;
        Random random(seed);
        struct Held {
            unsigned number;
            Found found;
            std::string bytes;
        };
        std::vector<Held> held;
        std::int64_t now = t0;
        for (unsigned step = 0; step < 4000; step++) {
            now += random(50);
            unsigned number = random(200);
            Key key = key_number(number);
            switch (random(12)) {
                case 0:
                case 1:
                case 2: {
                    Spec spec{.number = number,
                              .version = step,
                              .size = random(step % 20 == 0 ? 120'000 : 9000),
                              .tags = {"t"}};
                    spec.life.base_ms = spec.created_ms = now - random(100'000);
                    spec.fence = f.zone.last_purge(1);
                    f.put(spec, random(2), now);
                    break;
                }
                case 3:
                case 4:
                case 5:
                case 6: {
                    Found found = f.zone.find(key, now);
                    if (found.hold == 0) break;
                    assert_true(is_version_of(number, bytes_of(f.zone, found)));
                    held.push_back({number, found, bytes_of(f.zone, found)});
                    break;
                }
                case 7:
                case 8:
                    if (held.empty()) break;
                    std::swap(held[random(static_cast<unsigned>(held.size()))], held.back());
                    assert_text_equal(bytes_of(f.zone, held.back().found), held.back().bytes);
                    f.zone.release(held.back().found.hold);
                    held.pop_back();
                    break;
                case 9:
                    f.zone.claim_fill(key, random(80), now, 3000);
                    break;
                case 10:
                    if (random(2))
                        f.zone.abandon(key);
                    else
                        f.zone.pass(key, now, random(1000));
                    break;
                default:
                    if (random(20) == 0)
                        f.zone.purge(1, tag_hash("t"), random(2) ? PurgeMode::soft : PurgeMode::hard, 0, now);
                    else
                        f.zone.claim_refresh(key, now, 1000);
            }
            if (step % 20 == 0) assert_true(f.zone.consistent());
        }
        for (Held& h : held) {
            assert_text_equal(bytes_of(f.zone, h.found), h.bytes);
            f.zone.release(h.found.hold);
        }
        assert_int_equal(f.zone.usage().holds, 0);
    }
}

TEST(every_counter_has_a_name) {
    std::map<std::string, int> names;
    for (unsigned i = 0; i < static_cast<unsigned>(Counter::count); i++)
        names[counter_name(static_cast<Counter>(i))]++;
    assert_int_equal(names.size(), static_cast<unsigned>(Counter::count));
}

}  // namespace

TEST_MAIN("near cache: zone")
