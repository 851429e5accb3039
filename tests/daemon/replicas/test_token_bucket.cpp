// The token bucket.
#include "daemon/replicas/decide/token_bucket.hpp"

#include "tests/cmocka.hpp"

using larder::replicas::TokenBucket;

TEST(a_burst_at_once_and_then_the_rate) {
    TokenBucket bucket(2.0, 3);
    for (int i = 0; i < 3; i++) assert_true(bucket.take(1000));
    assert_false(bucket.take(1000));
    assert_false(bucket.take(1499));
    assert_true(bucket.take(1500));
    assert_false(bucket.take(1500));
    assert_true(bucket.take(2000));
}

TEST(no_more_than_the_burst_is_saved) {
    TokenBucket bucket(1000.0, 2);
    assert_true(bucket.take(0));
    assert_true(bucket.take(1000000));
    assert_true(bucket.take(1000000));
    assert_false(bucket.take(1000000));
}

TEST(a_clock_that_goes_back_gives_nothing) {
    TokenBucket bucket(1.0, 1);
    assert_true(bucket.take(5000));
    assert_false(bucket.take(1000));
    assert_false(bucket.take(5999));
    assert_true(bucket.take(6000));
}

TEST(the_long_run_is_the_rate) {
    TokenBucket bucket(0.5, 4);
    int taken = 0;
    for (std::int64_t now = 0; now < 100000; now += 10) taken += bucket.take(now) ? 1 : 0;
    assert_in_range(taken, 4 + 49, 4 + 50);
}

TEST_MAIN("replicas token_bucket")
