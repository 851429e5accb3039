// Negotiation of content codings.
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

TEST(which_codings_a_client_takes) {
    assert_text_equal(accepted_codings("gzip, br;q=0.1, ODD"), "br, gzip, odd");
    assert_text_equal(accepted_codings("x-gzip, gzip, *, identity, br;q=0"), "gzip");
    for (const char* field : {"", "*", "identity", "gzip;q=0", "g z, (odd), a/b"}) assert_text_equal(accepted_codings(field), "");
    std::string many;
    for (char c = 'a'; c < 'a' + 13; c++) many.append(1, c).append(",");
    assert_text_equal(accepted_codings(many), "");
    assert_true(takes_codings("br, gzip", "X-GZIP"));
    assert_true(takes_codings("br, gzip", "gzip, br"));
    assert_false(takes_codings("br, gzip", "gzip, odd"));
    assert_false(takes_codings("br, gzip", ""));
    assert_false(takes_codings("", "gzip"));
}

TEST_MAIN("coding")
