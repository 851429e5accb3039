// Client directives, and how they change a verdict.
#include "cache/request/request_control.hpp"

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

RequestControl read(std::string_view field, std::uint8_t honoured = all_request_directives) {
    RequestControl control;
    add_request_control(field, honoured, control);
    return control;
}

void seconds(const std::optional<std::int64_t>& got, std::int64_t expected) {  // -1: none
    assert_int_equal(got.value_or(-1), expected);
}

// Rendered at 1000 s, fresh for 60 s, then servable at once for 60 s, then on error for 60 s more.
const char* wanted(std::string_view field, std::int64_t age_s, PurgeMark purge = {}) {
    Lifetime life{1'000'000, 60'000, 60'000, 120'000, 0};
    std::int64_t now = life.base_ms + age_s * 1000;
    switch (as_client_wants(judge(life, purge, now), read(field), life, life.base_ms - 1, now, now)) {
        case Verdict::fresh:
            return "fresh";
        case Verdict::stale_while:
            return "stale";
        case Verdict::stale_error:
            return "on error";
        default:
            return "no";
    }
}

TEST(directives_are_read) {
    RequestControl control =
        read("no-cache, Max-Age=10,max-stale = 20 , min-fresh=\"30\", no-store, only-if-cached, x=1");
    assert_true(control.no_cache && control.no_store && control.only_if_cached && control.judges());
    seconds(control.max_age, 10);
    seconds(control.max_stale, 20);
    seconds(control.min_fresh, 30);
    seconds(read("max-stale").max_stale, std::int64_t{1} << 31);  // any staleness
    assert_false(read("no-store, only-if-cached").judges());
}

TEST(only_what_is_honoured_counts) {
    RequestControl control = read("no-cache, no-store, max-age=0, only-if-cached", request_only_if_cached);
    assert_true(control.only_if_cached && !control.no_cache && !control.no_store && !control.max_age);
    assert_false(read("no-cache, max-age=0, max-stale, min-fresh=1, no-store", 0).judges());
}

TEST(malformed_and_repeated_directives) {
    for (std::string_view text :
         {"max-age", "max-age=", "max-age=-1", "max-age=soon", "max-age=1.5", "maxage=0", "max-age;0"})
        assert_false(read(text).judges());
    assert_false(read("max-stale=x, max-stale=").judges());
    seconds(read("max-age=5, max-age=9").max_age, 5);
    seconds(read("max-age=x, max-age=9").max_age, 9);
    seconds(read("max-age=99999999999999999999").max_age, std::int64_t{1} << 31);
}

TEST(names_of_directives) {
    assert_int_equal(*request_directive("min-fresh"), request_min_fresh);
    assert_false(request_directive("no-transform").has_value());
}

TEST(wishes_change_verdicts) {
    struct {
        std::string_view field;
        std::int64_t age_s;
        std::string_view expected;
    } const table[] = {
        {"", 0, "fresh"},
        {"", 60, "stale"},
        {"", 120, "on error"},
        {"", 180, "no"},
        {"no-store", 60, "stale"},
        {"no-cache", 0, "on error"},
        {"no-cache", 60, "on error"},
        {"no-cache, max-stale", 60, "on error"},
        {"max-age=30", 30, "fresh"},
        {"max-age=30", 31, "on error"},
        {"max-age=0", 0, "fresh"},
        {"max-age=600", 60, "on error"},  // RFC 9111 section 5.2.1.1: not stale, unless max-stale allows it
        {"max-age=600, max-stale=10", 70, "stale"},
        {"max-age=600, max-stale=10", 71, "on error"},
        {"max-age=30, max-stale=10", 40, "fresh"},
        {"max-age=30, max-stale=10", 41, "on error"},
        {"max-stale=10", 59, "fresh"},
        {"max-stale=10", 70, "stale"},
        {"max-stale=10", 71, "on error"},
        {"max-stale=90", 150, "stale"},  // sooner than the operator's policy
        {"max-stale", 179, "stale"},
        {"max-stale", 180, "no"},  // but not later
        {"min-fresh=20", 40, "fresh"},
        {"min-fresh=20", 41, "on error"},
        {"min-fresh=99999999999", 0, "on error"},
        {"min-fresh=0", 60, "on error"},
        {"min-fresh=0, max-stale", 60, "stale"},
    };
    for (const auto& row : table) assert_text_equal(wanted(row.field, row.age_s), row.expected);
}

TEST(what_was_purged_is_stale_for_clients_too) {
    PurgeMark purge{PurgeMode::soft, 1'010'000};
    assert_text_equal(wanted("max-age=600", 30, purge), "on error");
    assert_text_equal(wanted("max-stale=5", 30, purge), "stale");
    assert_text_equal(wanted("max-stale", 110, {PurgeMode::soft, 1'000'000}), "stale");
    assert_text_equal(wanted("max-stale", 30, {PurgeMode::hard, 1'010'000}), "no");
}

// Many concurrent requests that all reject the present entry cause one render.
TEST(what_was_made_since_the_request_came_is_new_enough) {
    Lifetime life{1'000'000, 60'000, 0, 0, 0};
    RequestControl no_cache = read("no-cache");
    auto verdict = [&](std::int64_t created_ms) {
        return as_client_wants(Verdict::fresh, no_cache, life, created_ms, 1'001'000, 1'002'000);
    };
    assert_true(verdict(1'000'999) == Verdict::stale_error);
    assert_true(verdict(1'001'000) == Verdict::fresh);
}

}  // namespace

TEST_MAIN("request_control")
