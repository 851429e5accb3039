// Lag, computed from samples.
#include "daemon/replicas/decide/lsn_ring.hpp"

#include "tests/cmocka.hpp"

using namespace larder::replicas;

static void assert_lag(Lag got, std::int64_t ms, Bound bound) {
    assert_text_equal(to_string(got.bound), to_string(bound));
    assert_int_equal(got.ms, ms);
}

// A primary that wrote 100 bytes every 100 ms, from 1000 ms on.
static LsnRing busy() {
    LsnRing ring(100, 500);
    for (int i = 0; i <= 10; i++) ring.add(1000 + 100 * i, static_cast<Lsn>(1000 + 100 * i));
    return ring;
}

TEST(nothing_is_known_without_samples) {
    LsnRing ring(10, 500);
    assert_lag(ring.lag(1, 0), 0, Bound::unknown);
    ring.add(1000, 0);
    assert_lag(ring.lag(1, 1000), 0, Bound::unknown);
}

TEST(lag_is_the_age_of_the_newest_sample_that_was_replayed) {
    struct {
        Lsn replayed;
        std::int64_t now;
        std::int64_t ms;
        Bound bound;
    } rows[] = {
        {2000, 2000, 0, Bound::exact},  // it has everything
        {9999, 2000, 0, Bound::exact},  // it has more than the newest sample
        {1999, 2000, 100, Bound::exact},    {1900, 2000, 100, Bound::exact},
        {1500, 2000, 500, Bound::exact},    {1000, 2000, 1000, Bound::exact},
        {1000, 60000, 59000, Bound::exact},  // behind a primary that fell silent, still growing
        {999, 2000, 1000, Bound::at_least},  // behind the oldest sample
        {2000, 2500, 0, Bound::exact},       // not silent yet
        {2000, 2501, 501, Bound::at_most},   // silent
        {0, 2000, 0, Bound::unknown},        // a replica without a position
        {1500, 999, 0, Bound::unknown},      // before the first sample
    };
    for (const auto& row : rows) assert_lag(busy().lag(row.replayed, row.now), row.ms, row.bound);
}

TEST(samples_later_than_the_look_do_not_count) {
    // At 1450, the newest sample that counts is that of 1400 (lsn 1400).
    assert_lag(busy().lag(1400, 1450), 0, Bound::exact);
    assert_lag(busy().lag(1399, 1450), 150, Bound::exact);
}

TEST(an_idle_primary_makes_nobody_late) {
    LsnRing ring(3, 500);
    for (int i = 0; i < 1000; i++) {
        ring.add(1000 + 100 * i, 77);
        assert_lag(ring.lag(77, 1000 + 100 * i), 0, Bound::exact);
    }
    // A replica that lacks the next write lags since the end of the idle time, not since its beginning.
    ring.add(101000, 78);
    assert_lag(ring.lag(77, 101000), 100, Bound::exact);
    assert_lag(ring.lag(77, 103000), 2100, Bound::exact);
}

TEST(only_the_newest_samples_are_kept) {
    LsnRing ring(3, 500);
    for (int i = 0; i < 10; i++) ring.add(100 * i, static_cast<Lsn>(10 + i));
    assert_lag(ring.lag(17, 900), 200, Bound::exact);
    assert_lag(ring.lag(16, 900), 200, Bound::at_least);
}

TEST(a_log_that_goes_back_begins_anew) {
    LsnRing ring = busy();
    ring.add(2100, 500);
    assert_lag(ring.lag(500, 2100), 0, Bound::exact);
    assert_lag(ring.lag(499, 2200), 100, Bound::at_least);
}

TEST_MAIN("replicas lsn_ring")
