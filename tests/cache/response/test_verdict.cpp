// Verdicts, as a table over one entry's life: made at 1000, fresh for 100, servable stale for 200, on error for 400.
#include "cache/response/verdict.hpp"

#include "tests/cmocka.hpp"

using namespace larder;

static constexpr Lifetime life{1000, 100, 200, 400};
static constexpr PurgeMark none{};

TEST(an_entry_ages) {
    struct {
        std::int64_t now;
        Verdict verdict;
    } rows[] = {
        {0, Verdict::fresh},          {1000, Verdict::fresh},       {1099, Verdict::fresh},
        {1100, Verdict::stale_while}, {1299, Verdict::stale_while}, {1300, Verdict::stale_error},
        {1499, Verdict::stale_error}, {1500, Verdict::dead},        {1000000, Verdict::dead},
    };
    for (const auto& row : rows) assert_int_equal(judge(life, none, row.now), row.verdict);
    assert_int_equal(life.dead_at_ms(), 1500);
}

TEST(never_stale_goes_from_fresh_to_dead) {
    Lifetime strict{1000, 100, 0, 0};
    assert_int_equal(judge(strict, none, 1099), Verdict::fresh);
    assert_int_equal(judge(strict, none, 1100), Verdict::dead);
    assert_int_equal(judge({1000, 0, 0, 0}, none, 1000), Verdict::dead);
    assert_int_equal(strict.dead_at_ms(), 1100);
}

TEST(servable_while_may_outlast_servable_on_error) {
    Lifetime lenient{1000, 100, 400, 200};
    assert_int_equal(judge(lenient, none, 1499), Verdict::stale_while);
    assert_int_equal(judge(lenient, none, 1500), Verdict::dead);
    assert_int_equal(lenient.dead_at_ms(), 1500);
}

TEST(a_soft_purge_ends_freshness_at_its_moment) {
    PurgeMark purged{PurgeMode::soft, 1050};
    struct {
        std::int64_t now;
        Verdict verdict;
    } rows[] = {
        {1049, Verdict::stale_while}, {1050, Verdict::stale_while}, {1249, Verdict::stale_while},
        {1250, Verdict::stale_error}, {1449, Verdict::stale_error}, {1450, Verdict::dead},
    };
    for (const auto& row : rows) assert_int_equal(judge(life, purged, row.now), row.verdict);
}

TEST(a_soft_purge_of_a_stale_entry_gives_it_no_more_time) {
    PurgeMark purged{PurgeMode::soft, 1200};
    for (std::int64_t now = 1100; now < 1600; now++)
        assert_int_equal(judge(life, purged, now), judge(life, none, now));
}

TEST(a_hard_purge_kills) {
    for (std::int64_t now : {0, 1000, 1050, 1200})
        assert_int_equal(judge(life, {PurgeMode::hard, 1150}, now), Verdict::dead);
}

TEST(an_older_entry_is_never_better) {
    for (PurgeMark purge : {none, PurgeMark{PurgeMode::soft, 1050}, PurgeMark{PurgeMode::hard, 1050}}) {
        Verdict last = Verdict::fresh;
        for (std::int64_t now = 900; now < 1700; now++) {
            Verdict verdict = judge(life, purge, now);
            assert_true(verdict >= last);
            last = verdict;
        }
    }
}

// If the clock that timed the purge is ahead of ours, the page is stale at once nonetheless.
TEST(a_soft_purge_is_never_in_the_future) {
    Lifetime short_life{.base_ms = 0, .fresh_ms = 1000, .while_ms = 500};
    assert_true(judge(short_life, {PurgeMode::soft, 900}, 100) == Verdict::stale_while);
    assert_true(judge(short_life, {PurgeMode::soft, 900}, 1399) == Verdict::stale_while);
    assert_true(judge(short_life, {PurgeMode::soft, 900}, 1400) == Verdict::dead);
}

TEST_MAIN("cache verdict")
