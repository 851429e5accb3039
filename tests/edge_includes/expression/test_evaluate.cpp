// The values of expressions, and the limits of their evaluation.
#include "edge_includes/expression/expression.hpp"

#include "tests/cmocka.hpp"
#include "tests/edge_includes/host.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

struct Known : Names {
    bool is_variable(std::string_view name) const override { return name == "site"; }
    bool is_assigned(std::string_view name) const override { return name == "x"; }
    bool is_function(std::string_view) const override { return false; }
};

std::string value(std::string_view source, std::uint32_t work = 10'000, std::uint32_t memory = 100'000) {
    Request request;
    request.query = "n=5&s=abc&e=";
    Budget budget({.work = work, .memory = memory});
    Evaluator evaluator(request, budget);
    Parsed parsed = parse_expression(source, Known{});
    if (parsed.packed.empty()) return parsed.error;
    Value result = evaluator.evaluate(parsed.packed, nullptr);
    if (result.kind == Value::Kind::undefined)
        return budget.exceeded() == Exceeded::work || budget.exceeded() == Exceeded::expression ? "out of work"
               : budget.exceeded() == Exceeded::memory                                          ? "out of memory"
                                                                                                : "undefined";
    return std::string(evaluator.text(result));
}

struct Case {
    const char* source;
    const char* value;
};

}  // namespace

TEST(numbers_compare_as_numbers_and_the_rest_as_text) {
    for (const Case& test :
         {Case{"10 > 9", "true"}, Case{"'10' > '9'", "true"}, Case{"'10' > '9a'", "false"},
          Case{"'1.5' < '1.25'", "false"}, Case{"1.5 > 1", "true"}, Case{"'01' == '1'", "true"},
          Case{"'1.0' == 1", "true"}, Case{"'a' < 'b'", "true"}, Case{"'a' == 'A'", "false"},
          Case{"$(QUERY_STRING{n}) >= 5", "true"}, Case{"$(QUERY_STRING{n}) <= 4", "false"},
          Case{"$(QUERY_STRING{s}) != 'abc'", "false"},
          Case{"9223372036854775807 > 9223372036854775806", "true"}}) {
        assert_text_equal(value(test.source), test.value);
    }
}

TEST(an_undefined_or_empty_operand_makes_comparisons_false) {
    for (const char* sign : {"==", "!=", "<", "<=", ">", ">=", "has", "has_i", "matches", "matches_i"}) {
        assert_text_equal(value("$(QUERY_STRING{nope}) " + std::string(sign) + " 'a'"), "false");
        assert_text_equal(value("$(QUERY_STRING{e}) " + std::string(sign) + " 'a'"), "false");
        assert_text_equal(value("'a' " + std::string(sign) + " ''"), "false");
    }
    assert_text_equal(value("!($(QUERY_STRING{nope}) == 'a')"), "true");
}

TEST(logic_is_short_circuit) {
    for (const Case& test :
         {Case{"true & false", "false"}, Case{"true & 'x'", "true"}, Case{"false | 0", "false"},
          Case{"'' | 'a'", "true"}, Case{"!true", "false"}, Case{"!''", "true"}, Case{"![]", "true"},
          Case{"!$(QUERY_STRING{nope})", "true"}}) {
        assert_text_equal(value(test.source), test.value);
    }
    assert_text_equal(value("false & $digest_sha256_hex('a') == 'b'", 2),
                      "false");  // the right side would exceed the limit
}

TEST(has_and_matches) {
    for (const Case& test :
         {Case{"'abc' has 'b'", "true"}, Case{"'abc' has 'B'", "false"}, Case{"'abc' has_i 'B'", "true"},
          Case{"'abc' matches '^a.c$'", "true"}, Case{"'ABC' matches '^a'", "false"},
          Case{"'ABC' matches_i '^a'", "true"}, Case{"'a' matches '('", "false"}}) {
        assert_text_equal(value(test.source), test.value);
    }
}

TEST(arithmetic_is_on_integers) {
    for (const Case& test :
         {Case{"1 + 2", "3"}, Case{"7 / 2", "3"}, Case{"-7 % 3", "-1"}, Case{"'6' * '7'", "42"},
          Case{"5 - 7", "-2"}, Case{"1 / 0", "undefined"}, Case{"1 % 0", "undefined"},
          Case{"9223372036854775807 + 1", "undefined"}, Case{"-9223372036854775808 / -1", "undefined"},
          Case{"-9223372036854775808 % -1", "0"}, Case{"9223372036854775807 * 2", "undefined"},
          Case{"'a' * 2", "undefined"}, Case{"'a' + 1", "a1"}, Case{"'1' + '2'", "12"},
          Case{"10 / -1", "-10"}}) {
        assert_text_equal(value(test.source), test.value);
    }
}

TEST(defaults_stand_in_for_undefined_and_empty) {
    assert_text_equal(value("$(QUERY_STRING{nope}|d)"), "d");
    assert_text_equal(value("$(QUERY_STRING{e}|d)"), "d");
    assert_text_equal(value("$(QUERY_STRING{n}|d)"), "5");
    assert_text_equal(value("$(QUERY_STRING{nope}|$(QUERY_STRING{s}))"), "abc");
}

TEST(ranges_are_bounded) {
    assert_text_equal(value("[2..4]"), "[2, 3, 4]");
    assert_text_equal(value("[1..99999]"), "undefined");
    assert_text_equal(value("[-9223372036854775808..9223372036854775807]"), "undefined");
    assert_text_equal(value("['a'..3]"), "undefined");
}

TEST(work_is_bounded) {
    assert_text_equal(value("1 + 1 + 1 + 1", 3), "out of work");
    assert_text_equal(value("'a' matches 'a'", 50), "out of work");
    assert_text_equal(value("[1..1000]", 100), "out of work");
}

TEST(memory_is_bounded) {
    assert_text_equal(value("'abcdef' + 'ghijkl'", 10'000, 5), "out of memory");
    assert_text_equal(value("[1, 2, 3] + [(1 + 2)]", 10'000, 70), "out of memory");
    assert_text_equal(value("{'a': 1}", 10'000, 130), "out of memory");
}

TEST(an_expression_has_a_limit_of_its_own) {
    Request request;
    Budget budget({.work = 1'000'000, .expression_work = 10});
    Evaluator evaluator(request, budget);
    Parsed small = parse_expression("1 + 1", Known{}), large = parse_expression("[1..100]", Known{});
    assert_true(evaluator.evaluate(large.packed, nullptr).kind == Value::Kind::undefined);
    assert_true(budget.exceeded() == Exceeded::expression);
    assert_int_equal(budget.work_left(), 1'000'000 - 10);
    assert_text_equal(evaluator.text(evaluator.evaluate(small.packed, nullptr)), "2");
}

// The search for a name that was never assigned goes through all assigned names, and costs as much as finding the oldest one.
TEST(looking_for_a_name_costs_what_was_assigned) {
    Request request;
    Budget budget;
    Evaluator evaluator(request, budget);
    std::vector<Scope> assigned(10'000);
    for (std::size_t i = 0; i < assigned.size(); ++i)
        assigned[i] = {"y", integer_value(1), i == 0 ? nullptr : &assigned[i - 1]};
    std::uint64_t before = budget.work_left();
    evaluator.evaluate(parse_expression("$(x)", Known{}).packed, &assigned.back());
    assert_true(before - budget.work_left() > 1000);
}

TEST_MAIN("evaluate")
