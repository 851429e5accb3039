// Which error lines end a connection. They are those of Redis 6.2, 7.0 and 7.2 and of memcached 1.6.
#include "cache/wire/refusals.hpp"

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

TEST(redis_errors_that_end_a_connection) {
    for (std::string_view line : {
             "LOADING Redis is loading the dataset in memory",
             "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
             "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
             "READONLY You can't write against a read only replica.",
             "READONLY You can't write against a read only replica. script: 5b3d, on @user_script:1.",
             "ERR Error running script (call to f_5b3d): @user_script:10: @user_script: 10: -READONLY You can't write against "
             "a read only replica.",
             "CLUSTERDOWN The cluster is down",
             "NOAUTH Authentication required.",
             "WRONGPASS invalid username-password pair or user is disabled.",
             "DENIED Redis is running in protected mode because protected mode is enabled",
             "ERR max number of clients reached",
             "ERR max number of clients + cluster connections reached",
         }) {
        assert_true(redis_refusal(line) == Refusal::connection);
    }
}

TEST(redis_errors_that_refuse_writes_alone) {
    for (std::string_view line : {
             "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
             "OOM command not allowed when used memory > 'maxmemory'.",
             "OOM command not allowed when used memory > 'maxmemory'. script: 5b3d, on @user_script:1.",
             "ERR Error running script (call to f_5b3d): @user_script:1: @user_script: 1: -OOM command not allowed when used "
             "memory > 'maxmemory'.",
             "NOREPLICAS Not enough good replicas to write.",
         }) {
        assert_true(redis_refusal(line) == Refusal::writes);
    }
}

TEST(redis_errors_of_one_command) {
    for (std::string_view line : {
             "ERR unknown command 'FOO', with args beginning with: ",
             "NOPERM User web has no permissions to run the 'client|tracking' command",
             "WRONGTYPE Operation against a key holding the wrong kind of value",
             "ERR Error running script (call to f_5b3d): @user_script:1: user_script:1: attempt to index a nil value",
             "ERR value of larder:x is READONLY ",
             "READONLYISH",
             "",
         }) {
        assert_true(redis_refusal(line) == Refusal::command);
    }
}

TEST(a_script_that_is_to_be_sent_in_full) {
    for (std::string_view line : {
             "NOSCRIPT No matching script. Please use EVAL.",
             "NOPERM User web has no permissions to run the 'evalsha' command",
             "NOPERM this user has no permissions to run the 'evalsha' command or its subcommand",
         }) {
        assert_true(redis_refusal(line) == Refusal::script);
    }
    assert_true(redis_refusal("NOPERM User web has no permissions to run the 'eval' command") == Refusal::command);
}

TEST(memcached_errors) {
    assert_true(memcached_refusal("SERVER_ERROR out of memory storing object") == Refusal::command);
    assert_true(memcached_refusal("SERVER_ERROR object too large for cache") == Refusal::command);
    assert_true(memcached_refusal("ERROR Too many open connections") == Refusal::connection);
    assert_true(memcached_refusal("ERROR") == Refusal::connection);
    assert_true(memcached_refusal("CLIENT_ERROR unauthenticated") == Refusal::connection);
    assert_true(memcached_refusal("CLIENT_ERROR bad data chunk") == Refusal::connection);
}

}  // namespace

TEST_MAIN("cache refusals")
