// The grammar of expressions: precedence, and what is refused.
#include "edge_includes/expression/expression.hpp"

#include "tests/cmocka.hpp"

using namespace larder::esi;

namespace {

struct Known : Names {
    bool is_variable(std::string_view name) const override { return name == "site"; }
    bool is_assigned(std::string_view name) const override { return name == "x" || name == "list"; }
    bool is_function(std::string_view name) const override { return name == "host_function"; }
};

// Parses and checks an expression, and prints it.
std::string parsed(std::string_view source) {
    Parsed result = parse_expression(source, Known{});
    if (result.packed.empty()) return "error: " + result.error;
    return valid_expression(result.packed) ? expression_text(result.packed) : "invalid";
}

bool refused(std::string_view source) {
    return parsed(source).starts_with("error: ");
}

std::string parsed_template(std::string_view source, Escape escape) {
    Parsed result = parse_template(source, escape, Known{});
    return result.constant ? "constant " + result.packed : expression_text(result.packed);
}

}  // namespace

TEST(operands) {
    assert_text_equal(parsed("'it\\'s' "), "'it\\'s'");
    assert_text_equal(parsed("\"a\""), "'a'");
    assert_text_equal(parsed("'''it's \\d'''"), "'it\\'s \\\\d'");
    assert_text_equal(parsed("'\\d'"), "'\\\\d'");
    assert_text_equal(parsed("-12"), "-12");
    assert_text_equal(parsed("1.5"), "'1.5'");
    assert_text_equal(parsed("true"), "true");
    assert_text_equal(parsed("[1, 'a', [2]]"), "[1, 'a', [2]]");
    assert_text_equal(parsed("[1, 2 + 3, 4 | 5]"), "[1, (2 + 3), (4 | 5)]");
    assert_text_equal(parsed("{'a': 1 == 2, 'b': 3 & 4}"), "{'a': (1 == 2), 'b': (3 & 4)}");
    assert_text_equal(parsed("$substr('a' + 'b', 1 * 2)"), "$substr(('a' + 'b'), (1 * 2))");
    assert_text_equal(parsed("[]"), "[]");
    assert_text_equal(parsed("[1..3]"), "[1..3]");
    assert_text_equal(parsed("{'a': 1, 'b': [2]}"), "{'a': 1, 'b': [2]}");
}

TEST(variables) {
    assert_text_equal(parsed("$(HTTP_COOKIE{group})"), "$(HTTP_COOKIE{'group'})");
    assert_text_equal(parsed("$(QUERY_STRING{a.b-c}|none)"), "$(QUERY_STRING{'a.b-c'}|'none')");
    assert_text_equal(parsed("$(HTTP_HOST|'a b')"), "$(HTTP_HOST|'a b')");
    assert_text_equal(parsed("$(HTTP_COOKIE{$(x)}|$(HTTP_HOST))"), "$(HTTP_COOKIE{$(x)}|$(HTTP_HOST))");
    assert_text_equal(parsed("$(HTTP_X_Y)"), "$(header:x-y)");
    assert_text_equal(parsed("$(HTTP_AUTHORIZATION)"), "$(denied:authorization)");
    assert_text_equal(parsed("$(list{0})"), "$(list{'0'})");
}

TEST(precedence_is_that_of_esi) {
    assert_text_equal(parsed("1 == 2 & 3 == 4 | 5 == 6"), "(((1 == 2) & (3 == 4)) | (5 == 6))");
    assert_text_equal(parsed("1 | 2 & 3"), "(1 | (2 & 3))");
    assert_text_equal(parsed("!1 == 2"), "!(1 == 2)");
    assert_text_equal(parsed("!!1 & 2"), "(!!1 & 2)");
    assert_text_equal(parsed("1 + 2 * 3 - 4 < 5 % 2"), "(((1 + (2 * 3)) - 4) < (5 % 2))");
    assert_text_equal(parsed("(1 | 2) & 3"), "((1 | 2) & 3)");
    assert_text_equal(parsed("1 && 2 || 3"), "((1 & 2) | 3)");
    assert_text_equal(parsed("10 / 2 / 5"), "((10 / 2) / 5)");
}

TEST(every_comparison_has_a_spelling) {
    for (const char* sign : {"==", "!=", "<", "<=", ">", ">=", "matches", "matches_i", "has", "has_i"}) {
        assert_text_equal(parsed("'a' " + std::string(sign) + " 'b'"), "('a' " + std::string(sign) + " 'b')");
    }
}

TEST(functions_know_their_arguments) {
    assert_text_equal(parsed("$substr('abc', 1, 2)"), "$substr('abc', 1, 2)");
    assert_text_equal(parsed("$host_function(1, $(x))"), "$host_function(1, $(x))");
    assert_text_equal(parsed("$time()"), "$time()");
    assert_true(refused("$substr('abc')"));
    assert_true(refused("$time(1)"));
    assert_true(refused("$unknown()"));
}

TEST(what_is_wrong_is_refused) {
    for (const char* source : {"",
                               " ",
                               "1 +",
                               "1 2",
                               "'a",
                               "'''a''",
                               "$",
                               "$(",
                               "$(x",
                               "$(x}",
                               "$()",
                               "$(HTTP_HOST{a})",
                               "$(x{)",
                               "$(x{})",
                               "$(x|a b)",
                               "(1",
                               "1)",
                               "[1",
                               "[1,",
                               "[1 2]",
                               "{'a'}",
                               "{'a':}",
                               "1 == 2 == 3",
                               "1 = 2",
                               "a",
                               "99999999999999999999",
                               "$f",
                               "$(x{a(b})",
                               "1 matchesx 2",
                               "&",
                               "!"}) {
        if (!refused(source)) print_error("accepted: %s\n", source);
        assert_true(refused(source));
    }
}

TEST(strings_hold_variables) {
    assert_text_equal(parsed("'a$(x)b'"), "concat('a', $(x), 'b')");
    assert_text_equal(parsed("'$(x)'"), "concat($(x))");
    assert_text_equal(parsed("\"$(x|'d')$(HTTP_HOST)\""), "concat($(x|'d'), $(HTTP_HOST))");
    for (const char* text : {"'$'", "'$('", "'a$(unknown)'", "'^a$(b|c)'", "'$()'", "'''$(x)'''"})
        assert_true(parsed(text).find("concat") == std::string::npos);
}

TEST(unknown_names_are_undefined) {
    assert_text_equal(parsed("$(unknown)"), "$(unknown)");
    assert_text_equal(parsed("$(x|$(unknown))"), "$(x|$(unknown))");
}

TEST(errors_say_where) {
    assert_text_equal(parsed("1 == $nope()"), "error: no function 'nope' at byte 12 of the expression");
}

TEST(nesting_and_length_are_bounded) {
    assert_true(refused(std::string(1000, '(') + "1" + std::string(1000, ')')));
    assert_true(refused(std::string(1000, '!') + "1"));
    assert_true(refused(std::string(1000, '[') + std::string(1000, ']')));
    std::string chain = "1", longer;
    for (int i = 0; i < 10; ++i) chain += " | 1";
    assert_false(refused(chain));
    for (int i = 0; i < 1000; ++i) longer += "1 + ";
    assert_true(refused(longer + "1"));
    assert_true(refused("'" + std::string(20'000, 'a') + "'"));
}

TEST(templates_keep_what_is_no_variable) {
    assert_text_equal(parsed_template("/a?b", Escape::url), "constant /a?b");
    assert_text_equal(parsed_template("/$(x)/$(unknown)$", Escape::url),
                      "concat('/', url($(x)), '/$(unknown)$')");
    assert_text_equal(parsed_template("/?$(QUERY_STRING)", Escape::url),
                      "concat('/?', raw($(QUERY_STRING)))");
    assert_text_equal(parsed_template("/$(QUERY_STRING)", Escape::url), "concat('/', url($(QUERY_STRING)))");
}

TEST(an_interpolation_ends_at_its_parenthesis) {
    Parsed result = parse_interpolation("$(x) tail", Escape::html, Known{});
    assert_int_equal(result.length, 4);
    assert_text_equal(expression_text(result.packed), "html($(x))");
    assert_true(parse_interpolation("x", Escape::html, Known{}).packed.empty());
}

TEST_MAIN("parse_expression")
