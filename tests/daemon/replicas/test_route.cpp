// The route header, as the Django package reads it: alias=A;fence=F;fragment=PATH;deadline=MS, signed.
#include <regex>

#include "cache/signer.hpp"
#include "daemon/replicas/chooser.hpp"
#include "tests/cmocka.hpp"

using namespace larder::replicas;

TEST(the_value) {
    assert_text_equal(route_value("replica1", "default/1/16B3748", "/nav/?a=b", 1700000000123),
                      "alias=replica1;fence=default/1/16B3748;fragment=/nav/?a=b;deadline=1700000000123");
    assert_text_equal(route_value("r", "", "/", 0), "alias=r;fence=;fragment=/;deadline=0");
}

TEST(what_is_no_position_is_left_out) {
    for (const char* position : {"x", "default/1/1;alias=primary", "default/1/1\r\nHost: x"}) {
        assert_text_equal(route_value("r", position, "/", 0), "alias=r;fence=;fragment=/;deadline=0");
    }
}

TEST(a_path_cannot_say_another_deadline_or_begin_another_header) {
    std::string value = route_value("r", "", "/;deadline=99;alias=primary;x", 5);
    std::smatch parts;
    assert_true(std::regex_match(value, parts,
                                 std::regex("alias=([^;]+);fence=([^;]*);fragment=(.*);deadline=(\\d+)")));
    assert_text_equal(parts[1].str(), "r");
    assert_text_equal(parts[3].str(), "/;deadline=99;alias=primary;x");
    assert_text_equal(parts[4].str(), "5");
    assert_text_equal(route_value("r", "", "/a b\r\n\xc3\xa4\x7f", 5),
                      "alias=r;fence=;fragment=/a%20b%0D%0A%C3%A4%7F;deadline=5");
}

TEST(it_can_be_signed_and_checked) {
    larder::Signer signer({"0123456789abcdef0123456789abcdef"}, larder::route_salt);
    std::string value = route_value("r1", "default/1/1", "/x:y", 7);
    std::string header = signer.sign(value, 1700000000);
    assert_text_equal(signer.unsign(header, 1700000009, 10).value(), value);
    assert_false(signer.unsign(header, 1700000011, 10).has_value());
}

TEST_MAIN("replicas route")
