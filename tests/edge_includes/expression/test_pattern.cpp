// Regular expressions and their limits.
#include "edge_includes/expression/pattern.hpp"

#include <string>

#include "tests/cmocka.hpp"

using namespace larder::esi;

namespace {
std::array<std::string_view, max_groups> groups;
std::size_t match(std::string_view pattern, std::string_view subject, bool any_case = false) {
    PatternWork work{20'000};
    return match_pattern(pattern, any_case, subject, groups, work);
}
std::uint64_t work_of(std::string_view pattern, const std::string& subject) {
    PatternWork work{1'000'000'000};
    match_pattern(pattern, false, subject, groups, work);
    return work.used;
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

// PCRE2's own limit starts again at each position where a match may begin.
TEST(work_is_counted_over_all_beginnings) {
    std::string subject(2000, 'a');
    for (const char* pattern : {"(a|b|ab)*[cd]", "a*?[bc]", "[a-z]*+\\d", "(?=a*b)a", "(a*)\\1\\d", "(?>a+)\\s", "\\w*\\W"}) {
        assert_true(work_of(pattern, subject) > 2000 * 30 / 2);
        assert_int_equal(match(pattern, subject), 0);
    }
}

TEST(ordinary_patterns_cost_little) {
    std::string agent = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0";
    for (const char* pattern : {"Firefox/([0-9]+)", "^Mozilla/.*rv:(\\d+)\\.(\\d+)", "(iPhone|Android|Mobile)", "MSIE"}) {
        work_of(pattern, agent);  // compiles the pattern, which is then cached
        assert_true(work_of(pattern, agent) < 500);
    }
}

TEST(what_is_not_matched_within_the_limit_is_no_match) {
    PatternWork work{10};
    assert_int_equal(match_pattern("a+b", false, "aaaaaaaaab", groups, work), 0);
    assert_true(work.used > 10);
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
