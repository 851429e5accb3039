// Which address of a server is tried when, without servers.
#include "ngx_module/stores/link/addresses.hpp"

#include <string>

#include "tests/cmocka.hpp"

using Addresses = larder::ngx::Addresses<std::string>;

TEST(each_is_tried_once_in_a_round) {
    Addresses addresses({"a", "b", "c"});
    addresses.begin_round();
    assert_string_equal(addresses.current().c_str(), "a");
    assert_true(addresses.try_next());
    assert_string_equal(addresses.current().c_str(), "b");
    assert_true(addresses.try_next());
    assert_string_equal(addresses.current().c_str(), "c");
    assert_false(addresses.try_next());
}

TEST(a_round_begins_with_the_one_that_served_last) {
    Addresses addresses({"a", "b", "c"});
    addresses.begin_round();
    assert_true(addresses.try_next());
    addresses.begin_round();
    assert_string_equal(addresses.current().c_str(), "b");
    assert_true(addresses.try_next() && addresses.try_next());
    assert_string_equal(addresses.current().c_str(), "a");
    assert_false(addresses.try_next());
}

TEST(a_single_one_is_a_round) {
    Addresses addresses({"a"});
    addresses.begin_round();
    assert_false(addresses.are_several());
    assert_false(addresses.try_next());
    assert_string_equal(addresses.current().c_str(), "a");
}

TEST(the_current_one_stays_while_the_name_leads_to_it) {
    Addresses addresses({"a", "b"});
    assert_true(addresses.replace({"c", "a"}));
    assert_string_equal(addresses.current().c_str(), "a");
    assert_false(addresses.replace({"d", "e"}));
    assert_string_equal(addresses.current().c_str(), "d");
}

TEST_MAIN("addresses")
