// Store URLs have one syntax in nginx.conf and larderd.toml.
#include "cache/wire/store_url.hpp"

#include "tests/cmocka.hpp"

using namespace larder;
using Kind = StoreUrl::Kind;

namespace {

StoreUrl parsed(std::string_view text) {
    std::string why;
    auto url = parse_store_url(text, why);
    if (!url) fail_msg("\"%.*s\" was refused: %s", static_cast<int>(text.size()), text.data(), why.c_str());
    return *url;
}

std::string refused(std::string_view text) {
    std::string why;
    if (parse_store_url(text, why)) fail_msg("\"%.*s\" was accepted", static_cast<int>(text.size()), text.data());
    return why;
}

TEST(redis_by_tcp) {
    StoreUrl url = parsed("redis://10.0.0.5");
    assert_true(url.kind == Kind::redis);
    assert_true(url.servers == (std::vector<StoreUrl::Server>{{"10.0.0.5", 6379}}));
    assert_int_equal(url.database, 0);
    url = parsed("redis://web:secret@cache-1.example:7000/12");
    assert_true(url.servers == (std::vector<StoreUrl::Server>{{"cache-1.example", 7000}}));
    assert_text_equal(url.user, "web");
    assert_text_equal(url.password, "secret");
    assert_int_equal(url.database, 12);
    assert_text_equal(parsed("redis://[::1]:7000/").servers[0].host, "::1");
    assert_text_equal(parsed("redis://[fe80::1%eth0]").servers[0].host, "fe80::1%eth0");
}

TEST(logins_are_percent_decoded) {
    struct {
        std::string_view url, user, password;
    } const table[] = {
        {"redis://:p%40ss%2fw%23rd%25@h", "", "p@ss/w#rd%"},
        {"redis://us%3aer:a%3Ab@h", "us:er", "a:b"},
        {"redis://:a:b@h", "", "a:b"},          // only the first colon separates
        {"redis://:a@b@h", "", "a@b"},          // only the last @ does
        {"redis://:a/b@h/3", "", "a/b"},
        {"redis://secret@h", "", "secret"},
        {"redis://:%C3%A9@h", "", "\xc3\xa9"},
        {"redis+unix:web:p%40ss@/run/redis.sock", "web", "p@ss"},
    };
    for (const auto& row : table) {
        assert_text_equal(parsed(row.url).user, row.user);
        assert_text_equal(parsed(row.url).password, row.password);
    }
    for (std::string_view bad : {"redis://:50%@h", "redis://:%4@h", "redis://:%zz@h", "redis://%:x@h"})
        assert_true(refused(bad).find("%25") != std::string::npos);
}

TEST(sockets) {
    for (std::string_view text : {"redis+unix:/run/redis.sock", "redis+unix:///run/redis.sock", "unix:/run/redis.sock"}) {
        assert_text_equal(parsed(text).path, "/run/redis.sock");
        assert_true(parsed(text).servers.empty());
    }
    assert_true(parsed("redis+unix:/x").kind == Kind::redis);
    assert_true(parsed("unix:/x").kind == Kind::socket);
    assert_int_equal(parsed("redis+unix:/run/redis.sock?db=7").database, 7);
    assert_text_equal(parsed("redis+unix:/run/a%20b%3f%25.sock").path, "/run/a b?%.sock");
    assert_text_equal(parsed("redis+unix:/run/redis@2.sock").path, "/run/redis@2.sock");
    refused("redis+unix:run/redis.sock");
    refused("redis+unix:/run/redis.sock?database=7");
    refused("redis+unix:/run/redis.sock?db=x");
    refused("unix:/" + std::string(107, 'x'));
    refused("unix:/a%00b");
    parsed("unix:/" + std::string(106, 'x'));
}

TEST(memcached_fleets) {
    auto servers = parsed("memcached://a,b:1,[::1]:2").servers;
    assert_true(servers == (std::vector<StoreUrl::Server>{{"a", 11211}, {"b", 1}, {"::1", 2}}));
    refused("memcached://a,,b");
    refused("memcached://a,");
}

TEST(what_is_wrong_is_said) {
    struct {
        std::string_view url, says;
    } const table[] = {
        {"http://h", "redis://"},
        {"rediss://h", "redis://"},
        {"redis://", "host"},
        {"redis://h/x", "0 to 65535"},
        {"redis://h/65536", "0 to 65535"},
        {"redis://h/-1", "0 to 65535"},
        {"redis://h/1/2", "0 to 65535"},
        {"redis://h:0", "1 to 65535"},
        {"redis://h:65536", "1 to 65535"},
        {"redis://h:", "1 to 65535"},
        {"redis://::1", "brackets"},
        {"redis://[::1", "brackets"},
        {"redis://[localhost]", "brackets"},
        {"redis://[::1]7000", "1 to 65535"},
        {"redis://h%41", "host"},
        {"redis://user:@h", "empty password"},
        {"redis://@h", "empty password"},
        {"redis://a b", "printable"},
        {"", "redis://"},
    };
    for (const auto& row : table) assert_true(refused(row.url).find(row.says) != std::string::npos);
}

TEST(no_password_reaches_a_log) {
    assert_text_equal(without_login("redis://web:p@ss@h:1/2"), "redis://***@h:1/2");
    assert_text_equal(without_login("redis+unix:web:secret@/run/x"), "redis+unix:***@/run/x");
    assert_text_equal(without_login("redis://h:1/2"), "redis://h:1/2");
    assert_true(refused("redis://web:sec%ret@h").find("sec") == std::string::npos);
}

}  // namespace

TEST_MAIN("cache store URLs")
