// The store in a real Redis fulfils the contract.
#include "daemon/stores/redis_store.hpp"

#include "tests/daemon/servers.hpp"
#include "tests/daemon/store_conformance.hpp"

namespace larder::test {

namespace {
std::shared_ptr<RedisClient> client() {
    return std::make_shared<RedisClient>(RedisAddress{{{"127.0.0.1", redis_server().port()}, ""}, "", "", 0},
                                         5s);
}
}  // namespace

std::unique_ptr<Store> make_store() {
    client()->command({"FLUSHALL"});
    return std::make_unique<RedisStore>(client(), "test:");
}

TEST(nothing_that_can_be_evicted_lives_for_ever) {
    auto store = make_store();
    store->index("a", {1}, policy_bytes(), 1min);
    store->index("b", {1}, policy_bytes(), 1h);
    store->index("c", {1}, policy_bytes(), 1s);
    store->put("a", entry_of(variant_of("/"), 1, 1, ""), 1min);
    for (const char* key : {"test:e:a", "test:p:a", "test:t:0000000000000001"})
        assert_true(client()->command({"PTTL", key}).integer() > 0);
    assert_true(client()->command({"PTTL", "test:t:0000000000000001"}).integer() > 3'500'000);
}

TEST(a_redis_that_has_forgotten_its_scripts_is_sent_them_again) {
    auto store = make_store();
    store->index("a", {1, 2}, policy_bytes(), 1h);
    assert_true(store->put("a", entry_of(variant_of("/"), 1, 1, ""), 1h));
    client()->command({"SCRIPT", "FLUSH"});
    store->index("b", {1, 2}, policy_bytes(), 1h);
    assert_int_equal(client()->command({"SCARD", "test:t:0000000000000001"}).integer(), 2);
    assert_int_equal(client()->command({"SCARD", "test:t:0000000000000002"}).integer(), 2);
    client()->command({"SCRIPT", "FLUSH"});
    assert_true(store->put("b", entry_of(variant_of("/b"), 1, 1, ""), 1h));
    assert_true(store->get("b").has_value());
}

TEST(one_daemon_walks_at_a_time) {
    auto first = make_store();
    RedisStore second(client(), "test:");
    first->purge({1}, PurgeMode::soft, "");
    assert_false(first->pending(1).empty());
    assert_true(second.pending(1).empty());
    client()->command({"DEL", "test:{purge}walker"});
    assert_false(second.pending(1).empty());
}

TEST(a_log_that_was_cut_short_names_everything) {
    auto store = make_store();
    client()->command({"ZADD", "test:{purge}log", "100", "floor"});
    assert_true(store->purges_since(99, {5}).mode == PurgeMode::soft);
    assert_true(store->purges_since(100, {5}).mode == PurgeMode::none);
}

TEST(junk_in_the_pending_list_is_thrown_away) {
    auto store = make_store();
    client()->command({"RPUSH", "test:{purge}pending", "junk", "", "12 xyz", "9 0000000000000007 pg/1/1"});
    auto purges = store->pending(16);
    assert_true(purges.size() == 1 && purges[0].sequence == 9 && purges[0].hash == 7);
    assert_int_equal(client()->command({"LLEN", "test:{purge}pending"}).integer(), 1);
}

}  // namespace larder::test

TEST_MAIN("redis_store")
