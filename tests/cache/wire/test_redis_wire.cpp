// Redis commands as bytes, and scripts that are sent by their digest or in full.
#include "cache/wire/redis_wire.hpp"

#include "cache/wire/store_names.hpp"
#include "tests/cmocka.hpp"

using namespace larder;

TEST(a_command_is_an_array_of_strings_with_their_lengths) {
    std::string out = "before";
    redis_command(out, {"SET", "larder:e:k", std::string_view("a\0b\r\n", 5), ""});
    constexpr char expected[] = "before*4\r\n$3\r\nSET\r\n$10\r\nlarder:e:k\r\n$5\r\na\0b\r\n\r\n$0\r\n\r\n";
    assert_true(out == std::string_view(expected, sizeof expected - 1));
}

TEST(a_word_may_come_in_two_pieces) {
    std::string whole, pieces;
    redis_command(whole, {"GET", "prefixbody"});
    RedisWriter(pieces, 2).word("GET").word("prefix", "body");
    assert_string_equal(pieces.c_str(), whole.c_str());
}

TEST(a_script_has_the_digest_that_redis_gives_it) {
    RedisScript script("return 1");  // SCRIPT LOAD "return 1"
    assert_string_equal(std::string(script.digest()).c_str(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
}

TEST(scripts_are_sent_by_their_digest_and_again_in_full) {
    const RedisScript one("return 1"), two("return redis.call('GET', KEYS[1])");
    RedisBatch batch;
    batch.script(one, 0, 1).word("argument");
    batch.command({"SET", "a", "EVALSHA"});
    batch.script(two, 1, 0).word("a");
    assert_int_equal(batch.size(), 3);
    assert_true(batch.has_scripts());

    std::string by_digest, in_full;
    redis_command(by_digest, {"EVALSHA", one.digest(), "0", "argument"});
    redis_command(by_digest, {"SET", "a", "EVALSHA"});
    redis_command(by_digest, {"EVALSHA", two.digest(), "1", "a"});
    assert_string_equal(batch.bytes().c_str(), by_digest.c_str());
    redis_command(in_full, {"EVAL", one.source(), "0", "argument"});
    redis_command(in_full, {"SET", "a", "EVALSHA"});
    redis_command(in_full, {"EVAL", two.source(), "1", "a"});
    assert_string_equal(batch.in_full().c_str(), in_full.c_str());
}

TEST(a_batch_without_scripts_is_the_same_in_full) {
    RedisBatch batch;
    batch.command({"PING"});
    assert_false(batch.has_scripts());
    assert_string_equal(batch.in_full().c_str(), batch.bytes().c_str());
}

TEST(names_begin_with_the_prefix) {
    StoreNames names("site:");
    assert_string_equal(names.entry("KEY").c_str(), "site:e:KEY");
    assert_string_equal(names.lease("KEY").c_str(), "site:l:KEY");
    assert_string_equal(names.policy("KEY").c_str(), "site:p:KEY");
    assert_string_equal(names.tag(0xabc).c_str(), "site:t:0000000000000abc");
    assert_string_equal(names.purge("log").c_str(), "site:{purge}log");
    assert_string_equal(names.queue("due").c_str(), "site:{queue}due");
    assert_string_equal(names.purge_log().c_str(), "site:purges");
    assert_string_equal(names.identity().c_str(), "site:id");
}

TEST_MAIN("Redis commands")
