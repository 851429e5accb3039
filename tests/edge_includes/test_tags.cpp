// Parsing of tags.
#include "edge_includes/tags.hpp"

#include "tests/cmocka.hpp"

using namespace larder::esi;

TEST(elements_are_known_by_name) {
    for (const char* name : {"include", "remove", "comment", "vars", "choose", "when", "otherwise", "try",
                             "attempt", "except", "inline", "assign", "foreach", "break", "text"}) {
        Tag tag = parse_tag("<esi:" + std::string(name) + "/>");
        assert_text_equal(element_name(tag.element), name);
        assert_true(tag.empty);
    }
    assert_true(parse_tag("<esi:Include/>").element == Element::unknown);
    assert_true(parse_tag("<esi:>").element == Element::unknown);
}

TEST(attributes_are_read_with_either_quote) {
    std::string raw = "<esi:include\n\tsrc = \"/a?b=1&amp;c='2'\" alt='/b \"x\"' />";
    Tag tag = parse_tag(raw);
    assert_text_equal(tag.error, "");
    assert_text_equal(*tag.attribute("src"), "/a?b=1&c='2'");
    assert_text_equal(*tag.attribute("alt"), "/b \"x\"");
    assert_null(tag.attribute("onerror"));
    assert_true(tag.empty);
}

TEST(closing_tags_have_a_name_only) {
    assert_true(parse_tag("</esi:try >").element == Element::try_);
    assert_text_equal(parse_tag("</esi:try >").error, "");
    assert_true(!parse_tag("</esi:try a='b'>").error.empty());
}

TEST(what_is_wrong_is_named) {
    struct Case {
        const char* raw;
        const char* error;
    };
    for (const Case& wrong : {Case{"<esi:include src=>", "attribute src has no value"},
                              Case{"<esi:include src=\\\"/a\\\"/>", "attribute src has a quote inside a value without quotes"},
                              Case{"<esi:include src>", "attribute src has no value"},
                              Case{"<esi:include src='a'alt='b'/>", "an attribute expected: name=\"value\""},
                              Case{"<esi:include 'a'/>", "an attribute expected: name=\"value\""},
                              Case{"<esi:include src='a/>", "a quote is not closed"}}) {
        assert_text_equal(parse_tag(wrong.raw).error, wrong.error);
    }
}

TEST(values_may_stand_without_quotes) {
    Tag tag = parse_tag("<esi:include src=/a?b=c onerror=continue/>");
    assert_text_equal(tag.error, "");
    assert_text_equal(*tag.attribute("src"), "/a?b=c");
    assert_text_equal(*tag.attribute("onerror"), "continue");
    assert_true(tag.empty);
}

TEST(of_repeated_attributes_the_first_one_counts) {
    Tag tag = parse_tag("<esi:include src='/a' src='/b' alt='/c'/>");
    assert_text_equal(tag.error, "");
    assert_text_equal(*tag.attribute("src"), "/a");
    assert_text_equal(*tag.attribute("alt"), "/c");
    assert_text_equal(tag.repeated, "src");
}

TEST(durations_have_units) {
    assert_int_equal(duration_ms("250", 1).value(), 250);
    assert_int_equal(duration_ms("2", 1000).value(), 2000);
    assert_int_equal(duration_ms("250ms", 1000).value(), 250);
    assert_int_equal(duration_ms("1s", 1).value(), 1000);
    assert_int_equal(duration_ms("1m", 1).value(), 60'000);
    assert_int_equal(duration_ms("1h", 1).value(), 3'600'000);
    assert_int_equal(duration_ms("1d", 1).value(), 86'400'000);
    for (const char* text : {"", "s", "-1", "1.5s", "1w", "99999999999", "25d"})
        assert_false(duration_ms(text, 1).has_value());
}

TEST_MAIN("tags")
