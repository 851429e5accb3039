// Which content coding a client gets.
#include "cache/request/coding.hpp"

#include "tests/cmocka.hpp"

using namespace larder;

TEST(the_operators_order_decides_among_what_is_accepted) {
    const std::vector<std::string> both{"br", "gzip"};
    auto chosen = [&](std::string_view field) { return std::string(choose_coding(field, both)); };
    assert_text_equal(chosen("gzip, deflate, br"), "br");
    assert_text_equal(chosen("gzip;q=1.0, br;q=0.1"), "br");
    assert_text_equal(chosen("gzip"), "gzip");
    assert_text_equal(chosen("X-Gzip"), "gzip");
    assert_text_equal(chosen("br;q=0, gzip"), "gzip");
    assert_text_equal(chosen("*"), "br");
    assert_text_equal(chosen("br;q=0, *"), "gzip");
    assert_text_equal(chosen("*;q=0"), "");
    assert_text_equal(chosen("identity;q=0"), "");
    for (const char* field : {"", "identity", "deflate", "gzip;q=0", "gzip;q=x", "gzipx", ";q=1"})
        assert_text_equal(chosen(field), "");
}

TEST_MAIN("coding")
