// Regular expressions, bounded.
#include "edge_includes/expression/pattern.hpp"

#include <string>

#include "tests/cmocka.hpp"

using namespace larder::esi;

namespace {
std::array<std::string_view, max_groups> groups;
std::size_t match(std::string_view pattern, std::string_view subject, bool any_case = false) {
    return match_pattern(pattern, any_case, subject, groups);
}
}  // namespace

TEST(groups_are_those_of_the_match) {
    assert_int_equal(match("(\\w+)-(x)?(\\d+)", "see ab-12"), 4);
    assert_text_equal(groups[0], "ab-12");
    assert_text_equal(groups[1], "ab");
    assert_text_equal(groups[2], "");
    assert_text_equal(groups[3], "12");
}

TEST(case_counts_unless_told) {
    assert_int_equal(match("^abc$", "ABC"), 0);
    assert_int_equal(match("^abc$", "ABC", true), 1);
}

TEST(invalid_and_long_patterns_match_nothing) {
    assert_int_equal(match("(", "("), 0);
    assert_int_equal(match("\\C", "x"), 0);
    assert_int_equal(match(std::string(513, 'a'), std::string(513, 'a')), 0);
}

TEST(catastrophic_patterns_give_up) {
    assert_int_equal(match("^(a+)+$", std::string(40, 'a') + "!"), 0);
    assert_int_equal(match("^(a|a)*$", std::string(5000, 'a') + "!"), 0);
    assert_int_equal(match("((((((a*)*)*)*)*)*)*b", std::string(100, 'a')), 0);
}

TEST(more_groups_than_kept_are_dropped) {
    assert_int_equal(match("(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)", std::string(18, 'a')),
                     max_groups);
}

TEST(many_patterns_do_not_pile_up) {
    for (int i = 0; i < 1000; ++i)
        assert_int_equal(match("^" + std::to_string(i) + "$", std::to_string(i)), 1);
}

TEST_MAIN("pattern")
