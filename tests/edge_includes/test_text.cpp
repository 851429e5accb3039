// Escaping, character references, numbers.
#include "edge_includes/text.hpp"

#include "tests/cmocka.hpp"

using namespace larder::esi;

namespace {

std::string escaped(Escape escape, std::string_view text) {
    std::string out(escaped_size(escape, text), '?');
    char* end = write_escaped(escape, text, out.data());
    return end == out.data() + out.size() ? out : "size and text disagree";
}

std::string decoded(std::string_view text, bool plus) {
    std::string out(text.size(), '?');
    out.resize(static_cast<std::size_t>(write_url_decoded(text, plus, out.data()) - out.data()));
    return out;
}

}  // namespace

TEST(html_escapes_what_ends_text_and_attributes) {
    assert_text_equal(escaped(Escape::html, "a<b>\"c\"'d'&"), "a&lt;b&gt;&quot;c&quot;&#39;d&#39;&amp;");
}

TEST(url_escapes_all_but_unreserved) {
    assert_text_equal(escaped(Escape::url, "aZ09-._~ /?&=%\xff\n"), "aZ09-._~%20%2F%3F%26%3D%25%FF%0A");
}

TEST(json_escapes_what_ends_strings_and_scripts) {
    assert_text_equal(escaped(Escape::json,
                              "\"'\\</script>&`$\n\x01"
                              "é"),
                      "\\u0022\\u0027\\u005C\\u003C/script\\u003E\\u0026\\u0060\\u0024\\u000A\\u0001é");
    assert_text_equal(escaped(Escape::json, "a\u2028b\u2029c\xe2\x80"), "a\\u2028b\\u2029c\xe2\x80");
}

TEST(references_are_decoded_and_others_stay) {
    assert_text_equal(decode_references("&amp;&lt;&gt;&quot;&apos;&#65;&#x42;&#xe9;&#x20ac;&#x1F600;"),
                      "&<>\"'ABé€😀");
    assert_text_equal(decode_references("&nbsp;&amp &#0;&#xd800;&#x110000;&#;&;& &"),
                      "&nbsp;&amp &#0;&#xd800;&#x110000;&#;&;& &");
    assert_text_equal(decode_references("&amp;lt;"), "&lt;");
}

TEST(urls_are_decoded) {
    assert_text_equal(decoded("a%20b+c%2", true), "a b c%2");
    assert_text_equal(decoded("a+%zz%41", false), "a+%zzA");
}

TEST(integers_are_whole) {
    assert_true(integer_of("-9223372036854775808") == INT64_MIN);
    assert_false(integer_of("9223372036854775808").has_value());
    for (const char* text : {"", "-", "1x", " 1", "+1", "1.0", "0x1"})
        assert_false(integer_of(text).has_value());
}

TEST(decimals_have_digits_only) {
    assert_true(decimal_of("1.5") == 1.5);
    assert_true(decimal_of("-0.25") == -0.25);
    for (const char* text : {"", "inf", "nan", "1e5", "1.5x", "--1"})
        assert_false(decimal_of(text).has_value());
}

TEST(names_compare_without_case) {
    assert_true(equal_ignoring_case("Accept-Language", "accept-LANGUAGE"));
    assert_false(equal_ignoring_case("a", "ab"));
    assert_text_equal(trim(" \t\r\n a b \n"), "a b");
}

TEST(an_empty_text_holds_the_empty_text_alone) {
    assert_true(find_text({}, "a", 0) == std::string_view::npos);
    assert_true(find_text({}, {}, 0) == 0);
    assert_true(find_text("ab", "b", 1) == 1);
    assert_true(find_text("ab", "b", 2) == std::string_view::npos);
    assert_true(find_text("ab", "b", 3) == std::string_view::npos);
}

TEST_MAIN("text")
