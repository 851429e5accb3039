// The query: normalised spelling, and only the parameters that the rule keeps.
#include "cache/request/query.hpp"
#include "cache/request/url.hpp"

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

using Kind = QueryRule::Kind;

std::string normalised(const QueryRule& rule, std::string_view query) {
    std::string storage;
    return std::string(normalise_query(rule, query, storage));
}

std::string escapes(std::string_view text) {
    std::string storage;
    return std::string(normalise_escapes(text, storage));
}

}  // namespace

TEST(escapes_have_one_spelling) {
    assert_text_equal(escapes("a=%7Eb%2db%5f%41%7a%30"), "a=~b-b_Az0");
    assert_text_equal(escapes("q=%c3%A4%2f%3F"), "q=%C3%A4%2F%3F");
    assert_text_equal(escapes("100%"), "100%");
    assert_text_equal(escapes("%zz%4"), "%zz%4");
    assert_text_equal(escapes("%%41"), "%A");
    assert_text_equal(escapes("%2541"), "%2541");  // not decoded twice
    assert_text_equal(escapes("%00%0a%20"), "%00%0A%20");
    assert_text_equal(escapes(""), "");
}

TEST(normalising_twice_changes_nothing) {
    for (const char* text : {"%7e%2541%%41%zz", "%25%32%35", "a%3d%3D=%26&%", "%%%", "%2"}) {
        std::string once = escapes(text);
        if (once.find("%%") == std::string::npos) assert_text_equal(escapes(once), once);
    }
}

TEST(without_a_rule_the_query_is_what_came) {
    assert_text_equal(normalised({}, "b=2&&a=1&"), "b=2&&a=1&");
    assert_text_equal(normalised({}, "b=%7e"), "b=~");
    assert_text_equal(normalised({}, ""), "");
}

TEST(parameters_are_kept_dropped_and_sorted) {
    const std::string query = "utm_source=x&b=2&a=1&b=1&gclid=3&&utm%5Fmedium=y&c";
    assert_text_equal(normalised({Kind::none, false, {}}, query), "");
    assert_text_equal(normalised({Kind::keep, false, {"a", "b"}}, query), "b=2&a=1&b=1");
    assert_text_equal(normalised({Kind::drop, false, {"utm_*", "gclid"}}, query), "b=2&a=1&b=1&c");
    assert_text_equal(normalised({Kind::drop, true, {"utm_*", "gclid"}}, query), "a=1&b=2&b=1&c");
    assert_text_equal(normalised({Kind::verbatim, true, {}}, "b=1&a=%41&a%3Db=2"), "a=A&a%3Db=2&b=1");
    assert_text_equal(normalised({Kind::keep, false, {"x"}}, query), "");
}

TEST(an_escaped_separator_separates_nothing) {
    assert_text_equal(normalised({Kind::drop, false, {"b"}}, "a=1%26b=2"), "a=1%26b=2");
}

TEST(marketing_parameters_are_names_a_rule_takes) {
    QueryRule rule{Kind::drop, false, {}};
    for (std::string_view name : marketing_parameters()) rule.names.emplace_back(name);
    assert_text_equal(normalised(rule, "utm_campaign=a&page=2&gclid=b&fbclid=c&msclkid=d"), "page=2");
}

TEST_MAIN("query")
