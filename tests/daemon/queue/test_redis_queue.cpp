// The queue in a real Redis fulfils the contract.
#include "daemon/queue/redis_queue.hpp"

#include <thread>

#include "tests/daemon/queue_conformance.hpp"
#include "tests/daemon/servers.hpp"

namespace larder::test {

namespace {

std::shared_ptr<RedisClient> client() {
    return std::make_shared<RedisClient>(RedisAddress{{{"127.0.0.1", redis_server().port()}, ""}, "", "", 0},
                                         5s);
}

}  // namespace

std::unique_ptr<Queue> make_queue() {
    client()->command({"FLUSHALL"});
    auto queue = std::make_unique<RedisQueue>(client(), "test:", limits);
    queue->announce(1h);
    return queue;
}

void pass(std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
}

TEST(nothing_is_left_in_redis_when_all_jobs_are_done) {
    auto queue = make_queue();
    for (const char* key : {"a", "b", "c"}) queue->enqueue(key, "job", 0ms, false);
    for (const Claim& claim : queue->claim(16)) queue->finish(claim.lease);
    queue->announce(0ms);
    assert_int_equal(client()->command({"DBSIZE"}).integer(), 0);
}

TEST(a_job_whose_bytes_were_evicted_is_dropped) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    client()->command({"DEL", "test:{queue}jobs"});
    assert_int_equal(queue->claim(16).size(), 0);
    assert_int_equal(queue->depths().queued, 0);
}

TEST(the_list_of_given_up_jobs_is_bounded) {
    auto queue = make_queue();
    for (int i = 0; i < 1005; i++) {
        std::string key = "k" + std::to_string(i);
        client()->command({"HSET", "test:{queue}dead", key, "job"});
        client()->command({"ZADD", "test:{queue}buried", std::to_string(i), key});
    }
    queue->enqueue("newest", "job", 0ms, false);
    make_give_up(*queue);
    assert_int_equal(queue->depths().given_up, 1000);
    assert_int_equal(client()->command({"HEXISTS", "test:{queue}dead", "newest"}).integer(), 1);
    assert_int_equal(client()->command({"HEXISTS", "test:{queue}dead", "k0"}).integer(), 0);
}

TEST(a_daemon_withdraws_only_its_own_announcement) {
    auto first = make_queue();
    RedisQueue second(client(), "test:", limits);
    second.announce(1h);
    second.announce(0ms);
    assert_word(first->enqueue("a", "job", 0ms, false), "new");  // it doesn't matter which larderd has announced last
    second.announce(1h);
    first->announce(0ms);
    assert_word(first->enqueue("b", "job", 0ms, false), "new");
    second.announce(0ms);
    assert_word(first->enqueue("c", "job", 0ms, false), "nodaemon");
}

TEST(announcements_end_one_by_one) {
    auto first = make_queue();
    RedisQueue second(client(), "test:", limits);
    second.announce(50ms);
    pass(60ms);
    assert_word(first->enqueue("a", "job", 0ms, false), "new");
    first->announce(0ms);
    assert_word(first->enqueue("b", "job", 0ms, false), "nodaemon");
}

TEST(an_older_daemons_announcement_is_replaced) {
    auto queue = make_queue();
    queue->announce(0ms);
    client()->command({"SET", "test:{queue}alive", "host.1.2"});
    queue->announce(1h);
    assert_word(queue->enqueue("a", "job", 0ms, false), "new");
}

TEST(a_policy_that_may_evict_the_queue_is_warned_of) {
    auto queue = make_queue();
    assert_text_equal(queue->warning(), "");
    client()->command({"CONFIG", "SET", "maxmemory", "100mb"});
    client()->command({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
    assert_true(queue->warning().find("maxmemory-policy allkeys-lru") != std::string::npos);
    client()->command({"CONFIG", "SET", "maxmemory-policy", "volatile-lru"});
    assert_text_equal(queue->warning(), "");
}

}  // namespace larder::test

TEST_MAIN("redis_queue")
