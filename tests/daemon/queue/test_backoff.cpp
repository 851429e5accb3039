// The lengths of back-offs.
#include "daemon/queue/backoff.hpp"

#include "tests/cmocka.hpp"

using namespace larder::daemon;
using namespace std::chrono_literals;

namespace {
constexpr Backoff backoff{1000ms, 300s};
constexpr double most = 0.999999;
}  // namespace

TEST(doubles_with_each_failure_up_to_the_longest) {
    assert_int_equal(backoff.after(1, 0).count(), 500);
    assert_int_equal(backoff.after(2, 0).count(), 1000);
    assert_int_equal(backoff.after(5, 0).count(), 8000);
    assert_int_equal(backoff.after(9, 0).count(), 128'000);
    assert_int_equal(backoff.after(10, 0).count(), 150'000);
    assert_int_equal(backoff.after(4'000'000'000U, 0).count(), 150'000);
}

TEST(jitter_takes_away_at_most_half) {
    assert_true(backoff.after(1, most) > 990ms && backoff.after(1, most) <= 1000ms);
    assert_int_equal(backoff.after(1, 0.5).count(), 750);
    assert_true(backoff.after(100, most) <= 300s);
}

TEST_MAIN("backoff")
