// Field parsing: tolerant where RFC 9111 asks for it, strict where RFC 8941 does, and safe when a field is malformed.
#include "cache/response/fields.hpp"

#include <vector>

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

std::string elements(std::string_view list) {
    std::string text;
    each_list_element(list, [&](std::string_view element) { text.append(element).append("|"); });
    return text;
}

CacheDirectives cache_control(std::initializer_list<std::string_view> lines) {
    CacheDirectives d;
    for (std::string_view line : lines) add_cache_control(line, d);
    return d;
}

CacheDirectives surrogate(std::string_view line) {
    CacheDirectives d;
    add_surrogate_control(line, d);
    return d;
}

void seconds(const std::optional<std::int64_t>& got, std::int64_t expected) {  // -1: none
    assert_int_equal(got.value_or(-1), expected);
}

TEST(list_elements) {
    struct {
        std::string_view list, expected;
    } const table[] = {
        {"", ""},
        {"a", "a|"},
        {" a ,\tb\t,c", "a|b|c|"},
        {",,a, ,b,,", "a|b|"},  // RFC 9110 section 5.6.1.2
        {"a=\"x, y\", b", "a=\"x, y\"|b|"},
        {"a=\"x\\\", y\", b", "a=\"x\\\", y\"|b|"},
        {"a=\"\", b", "a=\"\"|b|"},
        {"a=\"\\\\\", b", "a=\"\\\\\"|b|"},
        // An unterminated quote quotes nothing, so no directive hides behind it.
        {"a=\"x, no-store", "a=\"x|no-store|"},
        {"a=\"x\", b=\"y, private", "a=\"x\"|b=\"y|private|"},
        {"private=\"x\\", "private=\"x\\|"},
        {"a, \"\\\\\\", "a|\"\\\\\\|"},
        {"\"", "\"|"},
    };
    for (const auto& row : table) assert_text_equal(elements(row.list), row.expected);
}

TEST(delta_seconds) {
    seconds(parse_delta_seconds("0"), 0);
    seconds(parse_delta_seconds("00060"), 60);
    seconds(parse_delta_seconds("2147483647"), 2147483647);
    // RFC 9111 section 1.2.2: a larger value counts as 2^31.
    for (std::string_view text :
         {"2147483648", "2147483649", "9223372036854775808", "99999999999999999999999999"})
        seconds(parse_delta_seconds(text), 2147483648);
    for (std::string_view text :
         {"", " ", "-1", "+1", "1.0", "1s", "0x10", " 1", "1 ", "1,2", "\"1\"", "one"})
        seconds(parse_delta_seconds(text), -1);
}

TEST(http_dates_in_all_three_forms) {
    for (std::string_view text :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
          "sun, 06 nov 1994 08:49:37 gmt", "SUN NOV  6 08:49:37 1994"})
        seconds(parse_http_date(text), 784111777);
    seconds(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    seconds(parse_http_date("Thu, 29 Feb 2024 23:59:59 GMT"), 1709251199);
    seconds(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800);  // a leap second
    seconds(parse_http_date("Sun Nov 16 08:49:37 1994"), 784975777);
    seconds(parse_http_date("Tuesday, 19-Jan-38 03:14:08 GMT"), 2147483648);
    seconds(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT"), 253402300799);
    seconds(parse_http_date("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
}

TEST(what_is_no_http_date) {
    for (std::string_view text : {"",
                                  "0",
                                  "-1",
                                  "Sun",
                                  "now",
                                  "1994-11-06T08:49:37Z",
                                  "784111777",
                                  "Sun, 06 Nov 1994 08:49:37",
                                  "Sun, 06 Nov 1994 08:49:37 CET",
                                  "Sun, 06 Nov 1994 08:49:37 UTC",
                                  "Sun, 06 Nov 1994 08:49:37 +0000",
                                  "Sun, 6 Nov 1994 08:49:37 GMT",
                                  "Sun, 06 Nov 94 08:49:37 GMT",
                                  "Sun, 06 Nov 1994 24:00:00 GMT",
                                  "Sun, 06 Nov 1994 08:60:37 GMT",
                                  "Sun, 06 Nov 1994 08:49:61 GMT",
                                  "Sun, 00 Nov 1994 08:49:37 GMT",
                                  "Sun, 32 Nov 1994 08:49:37 GMT",
                                  "Sun, 06 Foo 1994 08:49:37 GMT",
                                  "Sun, 06 Nov 1994 08:49:37 GMT ",
                                  " Sun, 06 Nov 1994 08:49:37 GMT",
                                  "Sun, 06 Nov 1994 08:49:37 GMT, x",
                                  "Fri, 30 Feb 2024 00:00:00 GMT",
                                  "Wed, 29 Feb 2023 00:00:00 GMT",
                                  "Thu, 29 Feb 1900 00:00:00 GMT",
                                  "Sun, 31 Apr 2024 00:00:00 GMT",
                                  "Xyz, 06 Nov 1994 08:49:37 GMT",
                                  "Sun Nov 6 08:49:37 1994",
                                  "Sun Nov  6 08:49:37 94",
                                  "Sun, 06 Nov 1994 8:49:37 GMT",
                                  "Sunday, 06-Nov-1994 08:49:37 GMT",
                                  "Sun, 06-Nov-94 08:49:37 GMT",
                                  "Sun,06 Nov 1994 08:49:37 GMT"}) {
        assert_false(parse_http_date(text).has_value());
    }
}

TEST(every_cache_control_directive_is_read_in_any_case) {
    auto d =
        cache_control({"MAX-AGE=1, S-MaxAge=2, Stale-While-Revalidate=3, STALE-IF-ERROR=4, No-Store, "
                       "NO-CACHE, Private, PUBLIC, "
                       "Must-Revalidate, Proxy-Revalidate, Must-Understand, No-Transform"});
    seconds(d.max_age, 1);
    seconds(d.s_maxage, 2);
    seconds(d.stale_while_revalidate, 3);
    seconds(d.stale_if_error, 4);
    assert_true(d.no_store && d.no_cache && d.is_private && d.is_public && d.must_revalidate &&
                d.proxy_revalidate && d.must_understand && d.no_transform);
    auto none = cache_control(
        {"", "immutable, foo=bar, no-transform, x-no-store, no-storex, nostore, max-age-x=5, =, =5"});
    assert_false(none.says_lifetime() || none.forbids() || none.is_public || none.must_revalidate ||
                 none.esi);
}

TEST(max_age_in_every_shape) {
    struct {
        std::string_view line;
        std::int64_t expected;
    } const table[] = {
        {"max-age=60", 60},
        {"max-age=\"60\"", 60},
        {"  max-age = 60 ", 60},
        {"max-age=60, max-age=10", 60},  // the first of duplicates
        {"max-age=0, max-age=60", 0},
        {"max-age=99999999999999999999", 2147483648},
        // Malformed: stale instead of fresh.
        {"max-age", 0},
        {"max-age=", 0},
        {"max-age=-1", 0},
        {"max-age=1.5", 0},
        {"max-age=60s", 0},
        {"max-age=\"60", 0},
        {"max-age='60'", 0},
        {"max-age=6 0", 0},
        {"max-age=60;x", 0},
        {"max-age=x, max-age=60", 0},
        {"public", -1},
    };
    for (const auto& row : table) seconds(cache_control({row.line}).max_age, row.expected);
    seconds(cache_control({"s-maxage=x"}).s_maxage, 0);
    seconds(cache_control({"max-age=5", "max-age=9, no-store"}).max_age, 5);
    assert_true(cache_control({"max-age=5", "max-age=9, no-store"}).no_store);
}

TEST(a_malformed_extension_window_extends_nothing) {
    for (std::string_view line :
         {"stale-while-revalidate", "stale-while-revalidate=-1", "stale-while-revalidate=x"})
        seconds(cache_control({line}).stale_while_revalidate, -1);
    seconds(cache_control({"stale-if-error=\"60\""}).stale_if_error, 60);
}

TEST(qualified_directives_count_as_unqualified) {
    assert_true(cache_control({"private=\"Set-Cookie\""}).is_private);
    assert_true(cache_control({"no-cache=\"Set-Cookie, X\", max-age=5"}).no_cache);
    seconds(cache_control({"no-cache=\"Set-Cookie, max-age=9\", max-age=5"}).max_age, 5);
    assert_true(cache_control({"private=\"x, max-age=60"}).is_private);
}

TEST(surrogate_control) {
    seconds(surrogate("max-age=30").max_age, 30);
    auto both = surrogate("max-age=30+60, content=\"ESI/1.0\"");
    seconds(both.max_age, 30);
    seconds(both.stale_while_revalidate, 60);
    assert_true(both.esi);
    seconds(surrogate("max-age=\"30+60\"").stale_while_revalidate, 60);
    auto odd = surrogate("max-age=30+x");
    seconds(odd.max_age, 30);
    seconds(odd.stale_while_revalidate, -1);
    seconds(surrogate("max-age=+60").max_age, 0);
    assert_true(surrogate("no-store").no_store);
    assert_true(surrogate("content=\"esi/1.0\"").esi && surrogate("CONTENT=ESI/1.0").esi);
    assert_true(surrogate("content=\"ESI-INV/1.0 ESI/1.0\"").esi &&
                surrogate("content=\"ESI/1.0 X/1\", max-age=1").esi);
    for (std::string_view line : {"content=\"ESI/1.1\"", "content=\"XESI/1.0\"", "content", "content=\"\"",
                                  "ESI/1.0", "content=\"ESI/1.0\";other"})
        assert_false(surrogate(line).esi);
}

TEST(a_directive_for_another_surrogate_is_not_ours) {
    auto d = surrogate("no-store;other, max-age=60;Larder, content=\"ESI/1.0\";larder");
    assert_false(d.no_store);
    seconds(d.max_age, 60);
    assert_true(d.esi);
    assert_false(surrogate("max-age=60 ; other").max_age.has_value());
    assert_true(surrogate("x=\"a;b\", no-store").no_store);
    assert_false(surrogate("no-store;").no_store);
}

TEST(targeted_fields_that_are_well_formed) {
    auto d = parse_targeted_cache_control(
        "max-age=60, s-maxage=5;a=1;b, stale-while-revalidate=7,\tstale-if-error=8 , public, foo=\"a, "
        "b\\\"\", "
        "l=(1 2;x \"y\"), b=:aGk=:, t=abc/d:e*, dec=1.25, n=-5, *x.y_z-0, q=?1");
    assert_true(d.has_value());
    seconds(d->max_age, 60);
    seconds(d->s_maxage, 5);
    seconds(d->stale_while_revalidate, 7);
    seconds(d->stale_if_error, 8);
    assert_true(d->is_public && !d->no_store);
    assert_true(parse_targeted_cache_control("no-store")->no_store);
    assert_true(parse_targeted_cache_control("  no-store  ")->no_store);
    assert_true(parse_targeted_cache_control("no-store=?1, private;x=?0")->is_private);
    assert_false(parse_targeted_cache_control("no-store=?0, public")->no_store);
    // Of a structured dictionary's duplicates the last counts (RFC 8941 section 3.2).
    seconds(parse_targeted_cache_control("max-age=60, max-age=5")->max_age, 5);
    assert_false(parse_targeted_cache_control("no-store, no-store=?0")->no_store);
}

TEST(targeted_fields_that_are_not_are_ignored) {
    for (std::string_view text :
         {"", " ", "   ",  // empty: RFC 9213 section 2.1
          "max-age=60,", "max-age=60,,public", ",public", ", ", "max-age = 60", "Max-Age=60",
          "max-age=60 public", "max-age=60; ;", "max-age=60;=1", "max-age=60;a=", "max-age=", "=60", "1a",
          "-a", "a b", "a=\"x", "a=\"x\\y\"", "a=\"\x01\"", "a=\"\xc3\xa4\"", "a=(1 2", "a=(1,2)",
          "a=(1\"x\")", "a=:x", "a=:x y:", "a=?2", "a=?", "a=1.", "a=1.2345", "a=--1", "a=1234567890123456",
          "a=1234567890123.1", "a=@1", "a=\xc3\xa4", "public\n", "\tpublic",
          // The argument is not a number of seconds.
          "max-age", "max-age=\"60\"", "max-age=60.0", "max-age=-1", "max-age=(60)", "max-age=x",
          "s-maxage=?1", "public, stale-if-error=a"}) {
        assert_false(parse_targeted_cache_control(text).has_value());
    }
}

TEST(names_and_white_space) {
    assert_true(equals_ignore_case("", "") && equals_ignore_case("Vary", "vARY"));
    assert_false(equals_ignore_case("a", "ab") || equals_ignore_case("ab", "a") ||
                 equals_ignore_case("@", "`") || equals_ignore_case("[", "{"));
    assert_text_equal(trim_ows(" \t a b \t"), "a b");
    assert_text_equal(trim_ows(" \t "), "");
    assert_text_equal(trim_ows("\ra\n"), "\ra\n");
}

}  // namespace

TEST(retry_after_is_a_time_or_a_date_and_at_most_an_hour) {
    constexpr std::string_view now = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_int_equal(retry_after_s("120", now, 0), 120);
    assert_int_equal(retry_after_s(" 120 ", {}, 0), 120);
    assert_int_equal(retry_after_s("86400", now, 0), 3600);
    assert_int_equal(retry_after_s("Sun, 06 Nov 1994 08:50:37 GMT", now, 0), 60);
    assert_int_equal(retry_after_s("Sun, 06 Nov 1994 08:50:37 GMT", {}, *parse_http_date(now)), 60);
    assert_int_equal(retry_after_s("Sun, 06 Nov 1994 08:48:37 GMT", now, 0), 0);
    for (std::string_view nonsense : {"", "soon", "-1", "1.5"}) assert_int_equal(retry_after_s(nonsense, now, 0), 0);
}

TEST_MAIN("cache fields")
