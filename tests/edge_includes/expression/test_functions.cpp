// Every built-in function.
#include "edge_includes/expression/functions.hpp"

#include "tests/cmocka.hpp"
#include "tests/edge_includes/host.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

std::string value(std::string_view expression) {
    Request request;
    std::string document =
        "<esi:assign name='v'>" + std::string(expression) + "</esi:assign><esi:vars>$raw($(v))</esi:vars>";
    return render(document, request);
}

struct Case {
    const char* expression;
    const char* value;
};

}  // namespace

TEST(text_functions) {
    for (const Case& test : {
             Case{"$lower('ÄBc')", "Äbc"},
             Case{"$upper('aBc')", "ABC"},
             Case{"$len('abc')", "3"},
             Case{"$len([1, 2])", "2"},
             Case{"$len({'a': 1})", "1"},
             Case{"$substr('abcdef', 2)", "cdef"},
             Case{"$substr('abcdef', 1, 2)", "bc"},
             Case{"$substr('abcdef', -2)", "ef"},
             Case{"$substr('abcdef', 1, -2)", "bcd"},
             Case{"$substr('abc', 9)", ""},
             Case{"$substr('abc', 0, 99)", "abc"},
             Case{"$substr('abc', 2, -99)", ""},
             Case{"$substr('abc', -99, 2)", "ab"},
             Case{"$index('abcb', 'b')", "1"},
             Case{"$index('abc', 'x')", "-1"},
             Case{"$rindex('abcb', 'b')", "3"},
             Case{"$starts_with('abc', 'ab')", "true"},
             Case{"$ends_with('abc', 'ab')", "false"},
             Case{"$strip(' a ') + '.'", "a."},
             Case{"$lstrip(' a ') + '.'", "a ."},
             Case{"$rstrip(' a ') + '.'", " a."},
             Case{"$replace('aXbX', 'X', '--')", "a--b--"},
             Case{"$replace('aXbX', 'X', '', 1)", "abX"},
             Case{"$replace('abc', '', 'x')", "abc"},
             Case{"$replace('abc', 'x', 'y')", "abc"},
         }) {
        assert_text_equal(value(test.expression), test.value);
    }
}

TEST(conversions_and_tests) {
    for (const Case& test : {
             Case{"$int(' 42 ') + 1", "43"},
             Case{"$exists($int('x'))", "false"},
             Case{"$str(12) + 3", "123"},
             Case{"$bool('')", "false"},
             Case{"$bool('x')", "true"},
             Case{"$exists($(QUERY_STRING{nope}))", "false"},
             Case{"$exists('')", "true"},
             Case{"$is_empty('')", "true"},
             Case{"$is_empty([])", "true"},
             Case{"$is_empty(0)", "false"},
             Case{"$default($(QUERY_STRING{nope}), 'd')", "d"},
             Case{"$default('a', 'd')", "a"},
             Case{"$dollar()", "$"},
             Case{"$squote()", "'"},
             Case{"$dquote()", "\""},
         }) {
        assert_text_equal(value(test.expression), test.value);
    }
}

TEST(encodings) {
    for (const Case& test : {
             Case{"$html_encode('<a>')", "&lt;a&gt;"},
             Case{"$html_decode('&lt;&#65;')", "<A"},
             Case{"$url_encode('a b/c')", "a%20b%2Fc"},
             Case{"$url_decode('a%20b+c')", "a b c"},
             Case{"$json_encode('\"</')", "\\u0022\\u003C/"},
             Case{"$base64_encode('abcd')", "YWJjZA=="},
             Case{"$base64_encode('')", ""},
             Case{"$base64_decode('YWJjZA==')", "abcd"},
             Case{"$base64_decode('YWJj')", "abc"},
             Case{"$exists($base64_decode('!!!!'))", "false"},
             Case{"$exists($base64_decode('abc'))", "false"},
             Case{"$raw('<')", "<"},
         }) {
        assert_text_equal(value(test.expression), test.value);
    }
}

TEST(an_encoded_value_is_not_encoded_again_for_the_same_place) {
    assert_text_equal(
        render("<esi:vars>$html_encode('<') $url_encode('<') '$(QUERY_STRING{x}|'<')'</esi:vars>"),
        "&lt; %3C '&lt;'");
    assert_text_equal(render("<esi:vars><script>$html_encode('<') $json_encode('<')</script></esi:vars>"),
                      "<script>\\u0026lt; \\u003C</script>");
}

TEST(digests) {
    assert_text_equal(value("$digest_md5_hex('abc')"), "900150983cd24fb0d6963f7d28e17f72");
    assert_text_equal(value("$digest_sha1_hex('abc')"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_text_equal(value("$digest_sha256_hex('abc')"),
                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(times) {
    assert_text_equal(value("$time()"), "784111777");
    assert_text_equal(value("$http_time($time())"), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_text_equal(value("$strftime(0, '%Y-%m-%dT%H:%M:%S')"), "1970-01-01T00:00:00");
    assert_text_equal(value("$exists($http_time(999999999999999))"), "false");
    assert_text_equal(value("$strftime(0, '%99999d')"), "");
    assert_text_equal(value("$exists($strftime('x', '%Y'))"), "false");
}

TEST(lists_and_dictionaries) {
    for (const Case& test : {
             Case{"$string_split('a,b,,c', ',')", "['a', 'b', '', 'c']"},
             Case{"$string_split('a b')", "['a', 'b']"},
             Case{"$join(['a', 1, true], '-')", "a-1-true"},
             Case{"$join(['a', 'b'])", "a b"},
             Case{"$list_item([1, 2], 1)", "2"},
             Case{"$list_item([1, 2], 5, 'none')", "none"},
             Case{"$slice([1, 2, 3, 4], 1, 2)", "[2, 3]"},
             Case{"$slice([1, 2, 3], 1)", "[2, 3]"},
             Case{"$in('b', ['a', 'b'])", "true"},
             Case{"$in('x', ['a', 'b'])", "false"},
             Case{"$in('k', {'k': 1})", "true"},
             Case{"$keys({'a': 1, 'b': 2})", "['a', 'b']"},
             Case{"$values({'a': 1, 'b': 2})", "[1, 2]"},
             Case{"[1] + [2, 3]", "[1, 2, 3]"},
         }) {
        assert_text_equal(value(test.expression), test.value);
    }
}

TEST(every_function_has_a_distinct_name) {
    for (std::size_t i = 0; i < functions().size(); ++i)
        assert_int_equal(function_index(functions()[i].name), i);
    assert_int_equal(function_index("nope"), -1);
}

TEST(the_host_adds_functions) {
    assert_text_equal(render("<esi:vars>$csrf_token() $echo('<')</esi:vars>"), "<input value=\"t\"> &lt;");
    Request request;
    CompileOptions none;
    assert_text_equal(render("<esi:vars>$csrf_token()</esi:vars>", request, {}, none), "$csrf_token()");
}

TEST_MAIN("functions")
