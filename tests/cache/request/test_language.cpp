// Language negotiation, with RFC 4647's own examples of lookup.
#include "cache/request/language.hpp"

#include "cache/request/quality.hpp"
#include "tests/cmocka.hpp"

using namespace larder;

namespace {

std::string chosen(std::string_view field, const std::vector<std::string>& supported) {
    return std::string(choose_language(field, supported));
}

}  // namespace

TEST(qualities_are_thousandths) {
    assert_int_equal(parse_quality("1").value(), 1000);
    assert_int_equal(parse_quality("0.8").value(), 800);
    assert_int_equal(parse_quality("0.05").value(), 50);
    assert_int_equal(parse_quality("0.001").value(), 1);
    assert_int_equal(parse_quality("1.000").value(), 1000);
    assert_int_equal(parse_quality("0.").value(), 0);
    for (const char* bad : {"", "2", "1.1", "0.0001", "-1", ".5", "0,5", "0.x"})
        assert_false(parse_quality(bad).has_value());
}

TEST(the_first_is_the_default) {
    for (const char* field : {"", "fr", "*", "de;q=0", ";;;", "q=1", "*;q=0.5, fr"})
        assert_text_equal(chosen(field, {"en", "de"}), "en");
}

TEST(ranges_are_shortened_from_their_end) {
    assert_text_equal(chosen("de-CH-1996", {"en", "de"}), "de");
    assert_text_equal(chosen("de-CH-1996", {"en", "de", "de-ch"}), "de-ch");
    // RFC 4647 section 3.4: single letters are removed with the subtag that they introduce.
    assert_text_equal(chosen("zh-Hant-CN-x-private1-private2", {"en", "zh-hant-cn"}), "zh-hant-cn");
    assert_text_equal(chosen("zh-Hant-CN-x-private1-private2", {"en", "zh-hant-cn-x"}), "en");
    assert_text_equal(chosen("de", {"en", "de-ch"}), "en");
}

TEST(quality_decides_then_order) {
    assert_text_equal(chosen("de;q=0.5, fr;q=0.9", {"en", "de", "fr"}), "fr");
    assert_text_equal(chosen("de, fr", {"en", "de", "fr"}), "de");
    assert_text_equal(chosen("es, de;q=0.8, fr;q=0.9", {"en", "de", "fr"}), "fr");
    assert_text_equal(chosen("DE-at ; q=0.3 , *;q=0.1", {"en", "de"}), "de");
}

TEST(malformed_elements_choose_nothing) {
    assert_text_equal(chosen("fr;q=x, de", {"en", "de", "fr"}), "de");
    assert_text_equal(chosen("fr;v=1, de;q=0.1", {"en", "de", "fr"}), "de");
    assert_text_equal(chosen("-, --, de--x, -de", {"en", "de"}), "de");
}

TEST(endless_fields_are_cut) {
    std::string field;
    for (int i = 0; i < 32; i++) field += "xx,";
    assert_text_equal(chosen(field + "de", {"en", "de"}), "en");
}

TEST_MAIN("language")
