// What the parts of a page allow caches behind us.
#include "cache/response/parts_control.hpp"

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

CacheDirectives said(std::string_view field) {
    CacheDirectives directives;
    add_cache_control(field, directives);
    return directives;
}

struct Part {
    std::string_view control;
    std::int64_t age_s, fresh_left_s;
};

std::string page(std::string_view own, std::int64_t age_s, const std::vector<Part>& parts) {
    PartsControl control;
    for (const Part& part : parts) control.add(said(part.control), part.age_s, part.fresh_left_s);
    return control.value(said(own), age_s);
}

}  // namespace

TEST(nothing_is_said_where_no_part_is_stricter) {
    assert_text_equal(page("public, max-age=60", 10, {{"max-age=300", 0, 300}, {"", 0, 50}}), "");
    assert_text_equal(page("max-age=60", 0, {}), "");
    assert_text_equal(page("", 0, {{"max-age=1", 0, 1}}), "");  // the page itself promises nothing
}

TEST(the_least_lifetime_counts) {
    assert_text_equal(page("max-age=600", 0, {{"max-age=60", 0, 60}, {"max-age=300", 0, 300}}), "max-age=60");
    assert_text_equal(page("max-age=600, s-maxage=900", 100, {{"max-age=60", 20, 40}}),
                      "max-age=140, s-maxage=140");
    assert_text_equal(page("max-age=600", 0, {{"", 0, 30}}), "max-age=30");  // remaining freshness here
    assert_text_equal(page("max-age=600", 0, {{"max-age=0", 0, 600}}),
                      "max-age=0");  // stored here, but not by browsers
    assert_text_equal(page("public, max-age=600", 50, {{"max-age=9", 90, -5}}),
                      "public, max-age=50");  // stale: from now on
}

TEST(the_strictest_word_counts) {
    assert_text_equal(page("public, max-age=60, s-maxage=60", 0, {{"private, max-age=60", 0, 60}}),
                      "private, max-age=60");
    assert_text_equal(page("max-age=60", 0, {{"no-store", 0, 0}}), "no-store, max-age=0");
    assert_text_equal(page("max-age=60", 0, {{"no-cache, max-age=60", 0, 60}}), "no-cache, max-age=60");
    assert_text_equal(page("max-age=60", 0, {{"must-revalidate, max-age=90", 0, 90}}),
                      "max-age=60, must-revalidate");
    assert_text_equal(page("private, max-age=60", 0, {{"private, max-age=90", 0, 90}}), "");
}

TEST(what_is_private_or_unknown_is_said_even_of_a_page_that_says_nothing) {
    PartsControl own, unknown;
    own.add_private();
    assert_text_equal(own.value(said(""), 0), "private");
    assert_text_equal(own.value(said("public, max-age=60"), 0), "private, max-age=60");
    assert_text_equal(own.value(said("private"), 0), "");
    unknown.add_unknown();
    assert_text_equal(unknown.value(said("max-age=60"), 0), "private, no-cache, max-age=60");
}

TEST(after_a_purge_nobody_behind_us_keeps_the_page) {
    PartsControl purged, bounded, with_part;
    purged.add_purged(0);
    assert_text_equal(purged.value(said("public, max-age=600, s-maxage=900, immutable, stale-if-error=9"), 100),
                      "public, max-age=0, s-maxage=0");
    assert_text_equal(purged.value(said(""), 5), "max-age=0");  // without max-age a cache could guess
    assert_text_equal(purged.value(said("private, max-age=60, no-transform"), 0),
                      "private, max-age=0, no-transform");
    assert_text_equal(purged.value(said("no-store"), 0), "no-store, max-age=0");
    bounded.add_purged(10);
    assert_text_equal(bounded.value(said("max-age=600, s-maxage=5"), 100), "max-age=110, s-maxage=5");
    assert_text_equal(bounded.value(said("max-age=3"), 0), "max-age=3");
    assert_text_equal(bounded.value(said(""), 0), "max-age=10");
    with_part.add(said("max-age=60"), 0, 60);
    with_part.add_purged(0);
    assert_text_equal(with_part.value(said("max-age=600"), 7), "max-age=0");
}

TEST(fields_that_tell_a_lifetime) {
    for (std::string_view name : {"cache-control", "Expires", "CDN-Cache-Control", "Cloudflare-CDN-cache-control",
                                  "Surrogate-Control", "Edge-Control", "X-Accel-Expires"})
        assert_true(is_lifetime_field(name));
    for (std::string_view name : {"Date", "Age", "-Cache-Control", "X-Cache-Control-Allow", "ETag", ""})
        assert_false(is_lifetime_field(name));
}

TEST_MAIN("parts control")
