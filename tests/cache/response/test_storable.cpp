// Storability and lifetimes: tables after RFC 9111 sections 3 and 4.2, RFC 5861 and RFC 9213, and after faults of
// other caches.
#include "cache/response/storable.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "cache/entry.hpp"
#include "cache/request/key.hpp"
#include "tests/cmocka.hpp"

using namespace larder;

namespace {

constexpr std::int64_t now_s = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::string_view now_date = "Sun, 06 Nov 1994 08:49:37 GMT";

using Headers = std::vector<NamedValue>;

struct Case {
    Answer answer;
    Policy policy;

    Storability judge() const { return storability(policy, answer); }
    std::int64_t fresh_s() const {  // -1: not stored
        Storability s = judge();
        assert_true(s.store == (s.reason == Reason::none));
        return s.store ? s.life.fresh_ms / 1000 : -1;
    }
};

Case sent(Headers headers, unsigned status = 200) {
    Case c;
    c.answer.status = static_cast<std::uint16_t>(status);
    c.answer.headers = std::move(headers);
    c.answer.request_ms = now_s * 1000 + 100;
    c.answer.response_ms = now_s * 1000 + 300;
    c.answer.variant_holds = [](std::string_view name) {
        return name == "x-kept" || name == "accept-language";
    };
    c.policy.while_s = 30;
    c.policy.error_s = 300;
    return c;
}

std::string refusal(const Case& c) {
    Storability s = c.judge();
    return s.store ? "stored" : text_of(s.reason);
}

std::string refusal_with(Headers headers) {
    headers.push_back({"Cache-Control", "max-age=60"});
    return refusal(sent(std::move(headers)));
}

// ---- where freshness comes from

TEST(the_first_field_that_says_something_decides) {
    struct {
        Headers headers;
        std::int64_t expected;
    } const table[] = {
        {{{"Cache-Control", "max-age=60"}}, 60},
        {{{"cache-control", "max-age=60, s-maxage=90"}}, 90},
        {{{"Cache-Control", "s-maxage=0, max-age=60, stale-while-revalidate=9"}}, 0},
        {{{"Cache-Control", "max-age=60"}, {"Expires", "Sun, 06 Nov 1994 09:49:37 GMT"}}, 60},
        {{{"Expires", "Sun, 06 Nov 1994 09:49:37 GMT"}, {"Cache-Control", "public"}}, 3600},
        {{{"CDN-Cache-Control", "max-age=20"}, {"Cache-Control", "max-age=60"}}, 20},
        {{{"CDN-Cache-Control", "max-age=20"}, {"Cache-Control", "no-store"}}, 20},
        {{{"CDN-Cache-Control", "max-age=20"}, {"CDN-Cache-Control", "s-maxage=30"}}, 30},
        {{{"CDN-Cache-Control", "no-store"}, {"Cache-Control", "max-age=60"}}, -1},
        {{{"CDN-Cache-Control", "max-age = 20"}, {"Cache-Control", "max-age=60"}}, 60},  // malformed: ignored
        {{{"CDN-Cache-Control", ""}, {"Cache-Control", "max-age=60"}}, 60},              // empty: ignored
        {{{"CDN-Cache-Control", ""}, {"Cache-Control", "private, max-age=60"}}, -1},
        {{{"Surrogate-Control", "max-age=10"},
          {"CDN-Cache-Control", "max-age=20"},
          {"Cache-Control", "private"}},
         10},
        {{{"Surrogate-Control", "no-store"}, {"Cache-Control", "max-age=60"}}, -1},
        {{{"Surrogate-Control", "content=\"ESI/1.0\""}, {"Cache-Control", "max-age=60"}}, 60},
        {{{"Surrogate-Control", "max-age=10;other"}, {"Cache-Control", "max-age=60"}}, 60},
        {{{"Surrogate-Control", "content=\"ESI/1.0\""}, {"Cache-Control", "private"}}, -1},
        {{}, -1},
        {{{"Cache-Control", "public"}}, -1},
        {{{"Cache-Control", "max-age=0"}}, -1},
        {{{"Cache-Control", "max-age=0, stale-if-error=60"}}, 0},
        {{{"Last-Modified", "Sun, 06 Nov 1993 08:49:37 GMT"}}, -1},  // no heuristic by default
    };
    for (const auto& row : table) assert_int_equal(sent(row.headers).fresh_s(), row.expected);
}

TEST(of_targeted_fields_the_first_that_is_there_and_valid_counts) {
    auto fresh_s = [](std::vector<std::string> targeted, Headers headers) {
        headers.push_back({"Cache-Control", "max-age=9"});
        Case c = sent(std::move(headers));
        c.policy.targeted = std::move(targeted);
        return c.fresh_s();
    };
    NamedValue mine{"Mine-Cache-Control", "max-age=1"}, cdn{"CDN-Cache-Control", "max-age=2"},
        bad{"mine-cache-control", "max-age = 1"}, never{"CDN-Cache-Control", "no-store"};
    std::vector<std::string> both{"Mine-Cache-Control", "CDN-Cache-Control"};
    assert_int_equal(fresh_s(both, {cdn, mine}), 1);
    assert_int_equal(fresh_s(both, {cdn, bad}), 2);
    assert_int_equal(fresh_s(both, {mine, never}), 1);
    assert_int_equal(fresh_s({"cdn-CACHE-control"}, {mine, cdn}), 2);
    assert_int_equal(fresh_s({}, {mine, never}), 9);
    Case off = sent({cdn, {"Cache-Control", "max-age=9"}});
    off.policy.targeted = {};
    assert_int_equal(off.judge().headers.size(), 2);  // it is for other caches, and passed on
    assert_int_equal(sent({cdn}).judge().headers.size(), 0);
}

TEST(expires_in_every_shape) {
    auto expires = [](std::string_view value, std::string_view date) {
        Headers headers{{"Expires", value}};
        if (!date.empty()) headers.push_back({"Date", date});
        return sent(headers).fresh_s();
    };
    assert_int_equal(expires("Sun, 06 Nov 1994 08:50:37 GMT", now_date), 60);
    assert_int_equal(expires("Sunday, 06-Nov-94 08:50:37 GMT", now_date), 60);
    assert_int_equal(expires("  Sun Nov  6 08:50:37 1994 ", now_date), 60);
    assert_int_equal(expires("Sun, 06 Nov 1994 08:50:37 GMT", ""), 60);  // relative to the time of receipt
    assert_int_equal(expires("Sun, 06 Nov 1994 08:50:37 GMT", "rubbish"), 60);
    assert_int_equal(expires("Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:00 GMT"), 37);
    for (std::string_view value :
         {"0", "-1", "", "now", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:50:37 CET",
          "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"})
        assert_int_equal(expires(value, now_date), -1);
    // The first of two counts (RFC 9111 section 4.2.1).
    assert_int_equal(
        sent({{"Expires", "0"}, {"Expires", "Sun, 06 Nov 1994 08:50:37 GMT"}, {"Date", now_date}}).fresh_s(),
        -1);
}

TEST(a_far_expiry_makes_an_entry_that_can_be_read_back) {
    Case c = sent({{"Expires", "Fri, 31 Dec 9999 23:59:59 GMT"}});
    c.policy.while_s = c.policy.error_s = UINT32_MAX;
    Case rule = sent({{"Content-Type", "text/html"}});
    rule.policy.valid = {{0, UINT32_MAX}};
    for (const Case* one : {&c, &rule}) {
        Storability s = one->judge();
        assert_true(s.store && s.life.fresh_ms > 0);
        std::string variant = Variant{
            .method = "GET",
            .scheme = "http",
            .host = "a",
            .path = "/",
            .query = {},
            .cookies = {},
            .headers = {}}.encode();
        const char* why = nullptr;
        std::string bytes = build_entry(
            {.life = s.life, .variant = variant, .tags = {}, .headers = s.headers, .plan = {}, .body = {}});
        EntryView::parse(bytes, &why);
        assert_text_equal(why == nullptr ? "" : why, "");
    }
}

TEST(an_answer_with_a_validator_is_kept_to_be_asked_about) {
    auto kept = [](Headers headers, unsigned status = 200) {
        headers.push_back({"ETag", "\"1\""});
        Storability s = sent(std::move(headers), status).judge();
        return s.store
                   ? std::to_string(s.life.fresh_ms / 1000) + " " + std::to_string(s.life.while_ms / 1000) +
                         " " + std::to_string(s.life.error_ms / 1000) + " " +
                         std::to_string(s.life.keep_ms / 1000)
                   : std::string(text_of(s.reason));
    };
    assert_text_equal(kept({{"Cache-Control", "max-age=60"}}), "60 30 300 86400");
    assert_text_equal(kept({{"Cache-Control", "no-cache"}}), "0 0 0 86400");
    assert_text_equal(kept({{"Cache-Control", "no-cache, max-age=60"}}), "0 0 0 86400");
    assert_text_equal(kept({{"Cache-Control", "no-cache=\"Set-Cookie\""}}), "0 0 0 86400");
    assert_text_equal(kept({{"Cache-Control", "max-age=0"}}), "0 0 300 86400");
    assert_text_equal(kept({{"Cache-Control", "max-age=0, must-revalidate"}}), "0 0 0 86400");
    assert_text_equal(kept({{"Cache-Control", "max-age=60, must-revalidate"}}), "60 0 0 86400");
    assert_text_equal(kept({{"Expires", "0"}}), "0 0 300 86400");
    assert_text_equal(kept({{"Cache-Control", "no-cache"}}, 404), "no-cache");
    assert_text_equal(kept({}), "no-lifetime");
    Case without = sent({{"Cache-Control", "no-cache"}, {"ETag", "\"1\""}});
    without.policy.keep_s = 0;
    assert_text_equal(refusal(without), "no-cache");
}

TEST(must_understand_overrules_no_store_for_what_is_understood) {
    assert_int_equal(sent({{"Cache-Control", "no-store, must-understand, max-age=60"}}).fresh_s(), 60);
    assert_int_equal(sent({{"Cache-Control", "no-store, must-understand, max-age=60"}}, 299).fresh_s(), -1);
    assert_int_equal(sent({{"Cache-Control", "must-understand, max-age=60"}}, 299).fresh_s(), 60);
}

TEST(heuristic_freshness_is_off_unless_configured) {
    Case c = sent({{"Last-Modified", "Sun, 06 Nov 1994 07:49:37 GMT"}, {"Date", now_date}});
    assert_text_equal(refusal(c), "no-lifetime");
    c.policy.heuristic_percent = 10;
    assert_int_equal(c.fresh_s(), 360);
    c.policy.heuristic_max_s = 100;
    assert_int_equal(c.fresh_s(), 100);
    c.answer.status = 302;
    assert_int_equal(c.fresh_s(), -1);
    c.answer.status = 404;
    assert_int_equal(c.fresh_s(), 100);
    c.answer.headers.push_back({"Cache-Control", "max-age=7"});
    assert_int_equal(c.fresh_s(), 7);
    c = sent({{"Last-Modified", "Sun, 06 Nov 1994 09:49:37 GMT"}, {"Date", now_date}});  // in the future
    c.policy.heuristic_percent = 10;
    assert_int_equal(c.fresh_s(), -1);
}

TEST(cookies_are_stripped_by_name_alone) {
    Case c = sent({{"Cache-Control", "max-age=60"}, {"Set-Cookie", "seen=1; Path=/"}});
    assert_text_equal(refusal(c), "set-cookie");
    c.policy.strip_cookies = {"other"};
    assert_text_equal(refusal(c), "set-cookie");
    c.policy.strip_cookies = {"other", "seen"};
    assert_text_equal(refusal(c), "stored");
    for (const NamedValue& header : c.judge().headers) assert_true(header.name != "Set-Cookie");
    c.answer.headers.push_back({"Set-Cookie", "seenit=1"});
    assert_text_equal(refusal(c), "set-cookie");
    c.policy.strip_cookies = {"*"};
    assert_text_equal(refusal(c), "stored");
}

TEST(a_persons_own_page_may_be_private) {
    Case c = sent({{"Cache-Control", "private, max-age=60"}});
    assert_text_equal(refusal(c), "private");
    c.answer.personal = true;
    assert_text_equal(refusal(c), "stored");
    c.answer.headers.push_back({"Set-Cookie", "a=1"});
    assert_text_equal(refusal(c), "set-cookie");
}

TEST(what_it_varies_on_is_listed_where_it_may_be_keyed) {
    auto listed = [](std::string_view vary) {
        Case c = sent({{"Cache-Control", "max-age=60"}, {"Vary", vary}});
        Storability s = c.judge();
        if (!s.store) return std::string(text_of(s.reason));
        std::string names;
        for (const std::string& name : s.vary) names += name + " ";
        return names;
    };
    assert_text_equal(listed("X-Device"), "x-device ");
    assert_text_equal(listed(" X-Device ,x-DEVICE,, A , X-Kept, Cookie, Accept-Encoding"), "a x-device ");
    assert_text_equal(listed("X-Kept"), "");
    assert_text_equal(listed("X-Device, *"), "vary-star");
    assert_text_equal(listed("Authorization"), "vary");
    assert_text_equal(listed("If-None-Match, X-Device"), "vary");
    assert_text_equal(listed("Larder-Route"), "vary");
    std::string many;
    for (int i = 0; i < 17; i++) many += "x-" + std::to_string(i) + ",";
    assert_text_equal(listed(many), "vary");
}

TEST(the_age_of_what_arrives) {
    auto age_ms = [](Headers headers) {
        headers.push_back({"Cache-Control", "max-age=60"});
        Case c = sent(headers);
        return c.answer.response_ms - c.judge().life.base_ms;
    };
    assert_int_equal(age_ms({}), 0);
    assert_int_equal(age_ms({{"Date", now_date}}), 0);
    assert_int_equal(age_ms({{"Date", "Sun, 06 Nov 1994 08:49:36 GMT"}}), 300);  // within a second: rounding
    assert_int_equal(age_ms({{"Date", "Sun, 06 Nov 1994 08:49:27 GMT"}}),
                     9300);  // the backend's clock is behind, or the answer is old
    assert_int_equal(age_ms({{"Date", "Sun, 06 Nov 1994 18:49:37 GMT"}}),
                     0);  // a clock that is ahead makes nothing younger
    assert_int_equal(age_ms({{"Date", "rubbish"}}), 0);
    assert_int_equal(age_ms({{"Age", "10"}}), 10'200);  // plus the time that the answer took
    assert_int_equal(age_ms({{"Age", "10"}, {"Date", "Sun, 06 Nov 1994 08:49:17 GMT"}}), 19'300);
    assert_int_equal(age_ms({{"Age", "10, 20"}}), 10'200);  // RFC 9111 section 5.1: the first member
    assert_int_equal(age_ms({{"Age", "10"}, {"Age", "0"}}), 10'200);
    for (std::string_view value : {"", "-5", "x", "1.5"}) assert_int_equal(age_ms({{"Age", value}}), 0);
    // Older than 1970.
    assert_int_equal(
        sent({{"Age", "99999999999999999999"}, {"Cache-Control", "max-age=1"}}).judge().life.base_ms, 0);
}

TEST(an_operators_lifetime_does_not_depend_on_the_backends_clock) {
    Case c = sent({{"Date", "Sun, 06 Nov 1994 07:49:37 GMT"}});
    c.policy.valid = {{0, 60}};
    assert_int_equal(c.answer.response_ms - c.judge().life.base_ms, 0);
    c.answer.headers.push_back({"Age", "10"});
    assert_int_equal(c.answer.response_ms - c.judge().life.base_ms, 10'200);
}

TEST(the_first_date_that_is_one_is_kept) {
    Storability s = sent({{"Date", "now"}, {"Date", now_date}, {"date", "Sun, 06 Nov 1994 07:49:37 GMT"}}).judge();
    assert_int_equal(s.headers.size(), 1);
    assert_text_equal(std::string(s.headers[0].value), std::string(now_date));
}

TEST(an_empty_date_is_none) {
    Storability s = sent({{"Date", {}}}).judge();
    assert_int_equal(s.headers.size(), 0);
}

TEST(x_accel_expires_as_in_proxy_cache) {
    auto fresh = [](std::string_view value, std::string_view control = {}) {
        Headers headers{{"X-Accel-Expires", value}};
        if (!control.empty()) headers.push_back({"Cache-Control", control});
        return sent(headers).fresh_s();
    };
    assert_int_equal(fresh("30"), 30);
    assert_int_equal(fresh("30", "max-age=60"), 30);
    assert_int_equal(fresh("30", "no-store, private"), 30);  // those are for other caches
    assert_int_equal(fresh("0", "max-age=60"), -1);
    assert_int_equal(fresh("@784111807"), 30);
    assert_int_equal(fresh("@784111777", "max-age=60"), -1);
    for (std::string_view nothing : {"", "@", "-1", "off", "1s", "@x"}) assert_int_equal(fresh(nothing, "max-age=60"), 60);
    // From now on, whatever the answer's age.
    Storability old = sent({{"X-Accel-Expires", "30"}, {"Age", "100"}}).judge();
    assert_int_equal(old.life.base_ms + old.life.fresh_ms - (now_s * 1000 + 300), 30'000);
    // Fields only for us precede it.
    assert_int_equal(sent({{"X-Accel-Expires", "30"}, {"Surrogate-Control", "max-age=5"}}).fresh_s(), 5);
    assert_int_equal(sent({{"X-Accel-Expires", "30"}, {"CDN-Cache-Control", "max-age=5"}}).fresh_s(), 5);
    Storability kept = sent({{"X-Accel-Expires", "30"}}).judge();
    assert_int_equal(kept.headers.size(), 0);
    assert_int_equal(kept.steering.size(), 1);  // for a 304 that does not repeat it
}

TEST(a_date_of_the_second_of_the_render_is_no_validator) {
    Case c = sent({{"Cache-Control", "no-cache"}, {"Last-Modified", now_date}, {"Date", now_date}});
    c.policy.keep_s = 60;
    assert_text_equal(refusal(c), "no-cache");
    c.answer.headers[2].value = "Sun, 06 Nov 1994 08:49:39 GMT";
    assert_text_equal(refusal(c), "stored");
}

TEST(streams_are_not_kept) {
    for (std::string_view type : {"text/event-stream", "Text/Event-Stream ; charset=utf-8",
                                  "multipart/x-mixed-replace;boundary=x"}) {
        Case c = sent({{"Cache-Control", "max-age=60"}, {"Content-Type", type}});
        c.policy.esi = EsiMode::on;
        assert_text_equal(refusal(c), "stream");
        assert_true(c.judge().stream);
        assert_false(c.judge().esi);
    }
    assert_text_equal(refusal_with({{"Content-Type", "text/event-streams"}}), "stored");
}

TEST(what_may_be_a_stream_is_kept_only_if_it_says_for_how_long) {
    for (NamedValue sign : {NamedValue{"X-Accel-Buffering", " No"}, NamedValue{"Content-Type", "application/x-ndjson"},
                            NamedValue{"Content-Type", "application/json-seq; x=y"}}) {
        assert_text_equal(refusal(sent({{"Cache-Control", "max-age=60"}, sign})), "stored");
        Case c = sent({sign});
        assert_text_equal(refusal(c), "stream");
        c.policy.valid = {{0, 60}};
        assert_text_equal(refusal(c), "stream");
        c.answer.headers.push_back({"Content-Length", "10"});
        assert_text_equal(refusal(c), "stored");
    }
    Case c = sent({{"X-Accel-Buffering", "yes"}});
    c.policy.valid = {{0, 60}};
    assert_text_equal(refusal(c), "stored");
}

TEST(a_page_that_is_not_to_be_buffered_is_no_page_of_fragments_unless_it_says_so) {
    Case c = sent({{"Content-Type", "text/html"}, {"X-Accel-Buffering", "no"}});
    c.policy.esi = EsiMode::on;
    assert_false(c.judge().esi);
    c.answer.headers.push_back({"Surrogate-Control", "content=\"ESI/1.0\""});
    assert_true(c.judge().esi);
}

TEST(a_page_whose_policy_has_a_nonce_is_one_visitors) {
    for (std::string_view name : {"Content-Security-Policy", "content-security-policy-report-only"}) {
        assert_text_equal(refusal_with({{name, "script-src 'self' 'nonce-abc'; img-src *"}}), "csp-nonce");
        assert_text_equal(refusal_with({{name, "default-src 'none', script-src 'NONCE-abc'"}}), "csp-nonce");
        assert_text_equal(refusal_with({{name, "script-src 'self' https://x/nonce-abc"}}), "stored");
    }
    Case c = sent({{"Cache-Control", "max-age=60"}, {"Content-Security-Policy", "script-src 'nonce-abc'"}});
    c.policy.keep_nonces = true;
    assert_text_equal(refusal(c), "stored");
}

TEST(a_failure_that_is_kept_is_never_served_stale) {
    for (unsigned status : {403, 429, 500, 502, 503, 599}) {
        Case c = sent({{"Cache-Control", "max-age=5, stale-while-revalidate=60, stale-if-error=60"}}, status);
        c.policy.keep_s = 60;
        Lifetime life = c.judge().life;
        assert_true(c.judge().store);
        assert_int_equal(life.dead_at_ms() - life.base_ms, 5000);
    }
    assert_int_equal(sent({{"Cache-Control", "max-age=5"}}, 404).judge().life.error_ms, 300'000);
    Case other = sent({{"Cache-Control", "max-age=5"}}, 404);
    other.policy.failures.to_anybody.add(404, 404);
    assert_int_equal(other.judge().life.error_ms, 0);
}

TEST(stale_windows) {
    struct {
        std::string_view value;
        std::int64_t while_s, error_s;
    } const table[] = {
        {"max-age=60", 30, 300},  // the location's policy
        {"max-age=60, stale-while-revalidate=5", 5, 300},
        {"max-age=60, stale-if-error=6", 30, 6},
        {"max-age=60, stale-while-revalidate=0, stale-if-error=0", 0, 0},
        {"max-age=60, stale-while-revalidate=x", 30, 300},
        {"max-age=60, stale-while-revalidate=5, must-revalidate", 0, 0},
        {"max-age=60, stale-if-error=5, proxy-revalidate", 0, 0},
    };
    for (const auto& row : table) {
        Lifetime life = sent({{"Cache-Control", row.value}}).judge().life;
        assert_int_equal(life.while_ms, row.while_s * 1000);
        assert_int_equal(life.error_ms, row.error_s * 1000);
    }
    Case never = sent({{"Cache-Control", "max-age=60, stale-while-revalidate=5"}});
    never.policy.never_stale = true;
    assert_int_equal(never.judge().life.while_ms, 0);
    assert_int_equal(never.judge().life.error_ms, 0);
    Lifetime surrogate =
        sent({{"Surrogate-Control", "max-age=60+7"}, {"Cache-Control", "must-revalidate"}}).judge().life;
    assert_int_equal(surrogate.fresh_ms, 60'000);
    assert_int_equal(surrogate.while_ms, 7000);
}

// ---- larder_valid

TEST(rules_say_what_the_answer_does_not) {
    auto ruled = [](std::vector<ValidRule> rules, unsigned status, Headers headers = {},
                    bool overrides = false) {
        Case c = sent(std::move(headers), status);
        c.policy.valid = std::move(rules);
        c.policy.valid_overrides = overrides;
        return c.fresh_s();
    };
    for (unsigned status : {200, 301, 302}) assert_int_equal(ruled({{0, 60}}, status), 60);
    for (unsigned status : {203, 303, 404, 410, 500}) assert_int_equal(ruled({{0, 60}}, status), -1);
    assert_int_equal(ruled({{404, 5}, {1, 7}}, 404), 5);
    assert_int_equal(ruled({{404, 5}, {1, 7}}, 503), 7);
    assert_int_equal(ruled({{1, 7}, {404, 5}}, 404), 7);  // the first matching rule counts
    assert_int_equal(ruled({{0, 60}}, 200, {{"Cache-Control", "max-age=5"}}), 5);
    assert_int_equal(ruled({{0, 60}}, 200, {{"Expires", "0"}}), -1);
    assert_int_equal(ruled({{0, 60}}, 200, {{"Cache-Control", "public"}}), 60);
    assert_int_equal(ruled({{0, 60}}, 200, {{"Cache-Control", "max-age=5"}}, true), 60);
    assert_int_equal(ruled({{0, 60}}, 200, {{"Expires", "0"}}, true), 60);
    assert_int_equal(ruled({{0, 60}}, 404, {{"Cache-Control", "max-age=5"}}, true),
                     5);  // no rule for this status
    // 0: don't store.
    assert_int_equal(ruled({{200, 0}, {1, 60}}, 200), -1);
    assert_int_equal(ruled({{200, 0}, {1, 60}}, 200, {{"Cache-Control", "stale-while-revalidate=60"}}), -1);
    assert_int_equal(
        ruled({{200, 0}}, 200, {{"Cache-Control", "max-age=60, stale-while-revalidate=60"}}, true), -1);
}

TEST(an_override_overrules_lifetimes_and_not_what_forbids) {
    auto overruled = [](Headers headers) {
        Case c = sent(std::move(headers));
        c.policy.valid = {{0, 60}};
        c.policy.valid_overrides = true;
        return refusal(c);
    };
    assert_text_equal(overruled({{"Cache-Control", "max-age=0"}}), "stored");
    assert_text_equal(overruled({{"Cache-Control", "private"}}), "private");
    assert_text_equal(overruled({{"Surrogate-Control", "no-store"}}), "no-store");
    assert_text_equal(overruled({{"CDN-Cache-Control", "private"}}), "private");
    assert_text_equal(overruled({{"Surrogate-Control", "max-age=5"}, {"Cache-Control", "no-store"}}),
                      "stored");
    assert_text_equal(overruled({{"Set-Cookie", "a=b"}}), "set-cookie");
    assert_text_equal(overruled({{"Vary", "*"}}), "vary-star");
}

// ---- what may not be stored

TEST(partial_interim_and_impossible_answers_are_refused) {
    for (unsigned status : {100, 103, 199, 206, 304})
        assert_text_equal(refusal(sent({{"Cache-Control", "max-age=60"}}, status)), "partial");
    for (unsigned status : {200, 204, 301, 404, 410, 451, 500, 503, 599})
        assert_text_equal(refusal(sent({{"Cache-Control", "max-age=60"}}, status)), "stored");
    for (unsigned status : {0, 600, 999})
        assert_false(sent({{"Cache-Control", "max-age=60"}}, status).judge().store);
    assert_text_equal(refusal_with({{"Content-Range", "bytes 0-1/2"}}), "partial");
}

TEST(an_answer_to_early_data_is_for_its_client_alone) {
    Case c = sent({{"Cache-Control", "public, max-age=60"}}, 425);
    assert_text_equal(refusal(c), "too-early");
    c = sent({}, 425);
    c.policy.valid.push_back({1, 60});
    assert_text_equal(refusal(c), "too-early");
}

TEST(directives_that_forbid) {
    auto said = [](std::string_view value) { return refusal(sent({{"Cache-Control", value}})); };
    assert_text_equal(said("max-age=60, no-store"), "no-store");
    assert_text_equal(said("max-age=60, private"), "private");
    assert_text_equal(said("max-age=60, public, private"), "private");
    assert_text_equal(said("max-age=60, no-cache"), "no-cache");
    assert_text_equal(said("max-age=60, no-store, must-understand"), "stored");
    assert_text_equal(refusal(sent({{"Cache-Control", "max-age=60"}, {"cache-control", "no-store"}})),
                      "no-store");
    assert_text_equal(said("max-age=\"60, no-store"), "no-store");
}

TEST(authorization) {
    auto authorized = [](std::string_view value) {
        Case c = sent({{"Cache-Control", value}});
        c.answer.authorized = true;
        return refusal(c);
    };
    assert_text_equal(authorized("max-age=60"), "authorization");
    for (std::string_view value :
         {"max-age=60, public", "s-maxage=60", "max-age=60, must-revalidate"})  // RFC 9111 section 3.5
        assert_text_equal(authorized(value), "stored");
}

TEST(what_credentials_got_is_shared_by_the_word_of_the_field_that_counts) {
    auto authorized = [](std::vector<NamedValue> fields) {
        Case c = sent(std::move(fields));
        c.answer.authorized = true;
        c.answer.variant_holds = [](std::string_view) { return true; };
        return refusal(c);
    };
    assert_text_equal(authorized({{"Surrogate-Control", "max-age=60"}, {"Cache-Control", "public"}}), "stored");
    assert_text_equal(authorized({{"X-Accel-Expires", "60"}, {"Cache-Control", "s-maxage=1"}}), "stored");
    assert_text_equal(authorized({{"Surrogate-Control", "max-age=60"}, {"Cache-Control", "max-age=60"}}), "authorization");
    assert_text_equal(authorized({{"CDN-Cache-Control", "max-age=60"}, {"Cache-Control", "public"}}), "authorization");
    assert_text_equal(authorized({{"CDN-Cache-Control", "max-age=60, public"}, {"Cache-Control", "private"}}), "stored");
    assert_text_equal(authorized({{"Cache-Control", "max-age=60, public"}, {"Vary", "Authorization"}}), "vary");
}

TEST(what_credentials_got_is_stale_for_others_only_where_it_is_public) {
    auto window = [](std::string_view value) {
        Case c = sent({{"Cache-Control", value}});
        c.answer.authorized = true;
        return c.judge().life.while_ms;
    };
    assert_int_equal(window("max-age=60, public, stale-while-revalidate=9"), 9000);
    assert_int_equal(window("s-maxage=60, stale-while-revalidate=9"), 0);
    assert_int_equal(window("max-age=60, must-revalidate, stale-while-revalidate=9"), 0);
}

TEST(vary) {
    auto varying = [](std::string_view value) { return refusal_with({{"Vary", value}}); };
    for (std::string_view value : {"", "Cookie", "cookie, Accept-Encoding", "  COOKIE ,\tX-Kept ",
                                   "x-kept,,accept-language,", "Accept-Language"})
        assert_text_equal(varying(value), "stored");
    for (std::string_view value : {"*", " * ", "Cookie, *", "*,*", "\t*\t"})
        assert_text_equal(varying(value), "vary-star");
    // It answers requests that have none of these headers.
    for (std::string_view value : {"User-Agent", "Cookie, Origin", "x-kept2"})
        assert_text_equal(varying(value), "stored");
    for (std::string_view value : {"\"*", "x-kept x", "Cookie;x"}) assert_text_equal(varying(value), "vary");
    assert_text_equal(refusal_with({{"Vary", "Cookie"}, {"vary", "*"}}), "vary-star");
    Case without = sent({{"Cache-Control", "max-age=60"}, {"Vary", "x-kept"}});
    without.answer.variant_holds = nullptr;
    assert_text_equal(refusal(without), "stored");
    assert_text_equal(without.judge().vary[0], "x-kept");
}

TEST(a_coded_body_is_refused) {
    for (std::string_view value : {"gzip", "br", "identity, gzip", "x"})
        assert_text_equal(refusal_with({{"Content-Encoding", value}}), "content-encoding");
    assert_text_equal(refusal_with({{"Content-Encoding", " Identity "}}), "stored");
}

TEST(a_coding_that_cannot_be_undone_is_for_those_who_name_it) {
    auto coded = [](std::string_view accepts, Headers codings, std::string_view control = "max-age=60") {
        codings.push_back({"Cache-Control", control});
        codings.push_back({"Content-Type", "text/html"});
        Case c = sent(std::move(codings));
        c.answer.accepts = accepts;
        c.policy.esi = EsiMode::on;
        return c.judge();
    };
    Headers odd{{"Content-Encoding", "odd"}}, list{{"Content-Encoding", "gzip, odd"}},
        lines{{"Content-Encoding", "gzip"}, {"content-encoding", "odd"}};
    assert_true(coded("br, odd", odd).store && coded("br, odd", odd).opaque && !coded("br, odd", odd).esi);
    assert_true(coded("gzip, odd", list).store && coded("gzip, odd", lines).store);
    assert_text_equal(coded("gzip, odd", lines).coding, "gzip, odd");
    assert_true(coded("br", odd).is_unasked() && coded("odd", list).is_unasked() && coded("gzip", lines).is_unasked());
    assert_false(coded("br", odd, "private").is_unasked());  // not stored for another reason
}

TEST(what_may_not_be_transformed_is_not_decoded) {
    auto coded = [](std::string_view control) {
        Case c = sent({{"Cache-Control", control}, {"Content-Encoding", "gzip"}});
        c.answer.decodable = true;
        return c;
    };
    assert_true(coded("max-age=60").judge().store && coded("max-age=60").judge().decode);
    assert_text_equal(refusal(coded("max-age=60, no-transform")), "content-encoding");
    Case asked = coded("max-age=60, no-transform");
    asked.answer.accepts = "gzip";
    assert_true(asked.judge().store && !asked.judge().decode);
}

TEST(esi_is_compiled_as_the_policy_says) {
    auto esi = [](EsiMode mode, Headers headers) {
        Case c = sent(std::move(headers));
        c.policy.esi = mode;
        return c.judge().esi;
    };
    assert_true(esi(EsiMode::automatic, {{"Surrogate-Control", "content=\"ESI/1.0\""}}));
    assert_false(esi(EsiMode::automatic, {{"Content-Type", "text/html"}}));
    assert_false(
        esi(EsiMode::off, {{"Content-Type", "text/html"}, {"Surrogate-Control", "content=\"ESI/1.0\""}}));
    for (std::string_view type :
         {"text/html", "TEXT/plain; charset=x", "application/json", " application/xhtml+xml ;q"})
        assert_true(esi(EsiMode::on, {{"Content-Type", type}}));
    for (std::string_view type : {"image/png", "", "text", "application/octet-stream"})
        assert_false(esi(EsiMode::on, {{"Content-Type", type}}));
    assert_false(esi(EsiMode::on, {{"Content-Type", "text/html"}, {"Content-Encoding", "gzip"}}));
}

// ---- for whom

TEST(a_page_is_everybodys_only_by_the_sites_own_word) {
    auto everybodys = [](Headers headers) {
        return sent(std::move(headers)).judge().audience == Audience::everybody;
    };
    assert_true(everybodys({{"Larder-Audience", "everybody"}}));
    assert_true(everybodys({{"larder-audience", " Everybody "}, {"Cache-Control", "private"}}));  // stored or not
    assert_true(everybodys({{"Larder-Audience", "everybody"}, {"Larder-Audience", "everybody"}}));
    assert_false(everybodys({}));
    assert_false(everybodys({{"Cache-Control", "public, s-maxage=60"}}));
    for (const char* other : {"", "every", "everybody, staff", "everybody;q=0", "\"everybody\"", "nobody"}) {
        assert_false(everybodys({{"Larder-Audience", other}}));
        assert_false(everybodys({{"Larder-Audience", "everybody"}, {"Larder-Audience", other}}));
        assert_false(everybodys({{"Larder-Audience", other}, {"Larder-Audience", "everybody"}}));
    }
}

// ---- what is stored

TEST(fields_that_steer_or_belong_to_a_connection_are_not_stored) {
    Headers headers{{"Content-Type", "text/html"},
                    {"Connection", "close, X-Hop ,x-hop2"},
                    {"X-HOP", "1"},
                    {"X-Hop2", "1"},
                    {"X-Kept", "1"}};
    for (std::string_view name : {"Keep-Alive",
                                  "Proxy-Connection",
                                  "Proxy-Authenticate",
                                  "Proxy-Authentication-Info",
                                  "TE",
                                  "Trailer",
                                  "transfer-encoding",
                                  "Upgrade",
                                  "Content-Length",
                                  "AGE",
                                  "Accept-Ranges",
                                  "Cache-Status",
                                  "X-Accel-Redirect",
                                  "x-accel-expires",
                                  "X-Accel-Buffering",
                                  "Surrogate-Control",
                                  "CDN-Cache-Control",
                                  "Surrogate-Key",
                                  "Cache-Tag",
                                  "Cache-Tags",
                                  "XKey",
                                  "X-Cache-Tags",
                                  "Larder-Queries",
                                  "larder-wrote",
                                  "LARDER-"})
        headers.push_back({name, ""});
    headers.push_back({"Cache-Control", "max-age=60"});
    headers.push_back({"Larder", "kept"});
    headers.push_back({"ETag", "\"x\""});
    std::string names;
    for (const NamedValue& header : sent(headers).judge().headers) names.append(header.name).append(" ");
    assert_text_equal(names, "Content-Type X-Kept Cache-Control Larder ETag ");
}

TEST(what_is_not_stored_is_still_stripped) {
    Storability s =
        sent({{"Surrogate-Key", "a"}, {"Set-Cookie", "a=b"}, {"Cache-Control", "private"}, {"X", "y"}})
            .judge();
    assert_false(s.store);
    assert_int_equal(s.headers.size(), 2);
}

TEST(surrogate_keys_in_all_spellings) {
    Case c = sent({{"Cache-Control", "max-age=60"},
                   {"Surrogate-Key", "a  b\tc "},
                   {"xkey", "d a,k, l"},
                   {"XKEY", "e"},
                   {"Cache-Tag", "f g , h,,a"},
                   {"cache-tags", "i"},
                   {"X-Cache-Tags", " j ,"},
                   {"Surrogate-Key", ""}});
    std::string tags;
    for (std::string_view tag : c.judge().tags) tags.append(tag).append("|");
    assert_text_equal(tags, "a|b|c|d|k|l|e|f g|h|i|j|");
}

TEST(a_page_that_a_purge_could_not_find_is_not_stored) {
    std::string tags;
    for (std::size_t i = 0; i < max_entry_tags; i++) tags += std::to_string(i) + " ";
    assert_int_equal(
        sent({{"Cache-Control", "max-age=60"}, {"Surrogate-Key", tags}, {"xkey", tags}}).judge().tags.size(),
        max_entry_tags);
    tags += "more";
    assert_text_equal(refusal_with({{"Surrogate-Key", tags}}), "too-many-tags");
    std::string longest(65535, 't');
    assert_text_equal(refusal_with({{"Surrogate-Key", longest}}), "stored");
    longest += "t";
    assert_text_equal(refusal_with({{"Surrogate-Key", longest}}), "too-long-tag");
}

TEST(too_many_headers) {
    Headers headers;
    for (std::size_t i = 0; i < max_entry_headers - 1; i++) headers.push_back({"X", "y"});
    assert_text_equal(refusal_with(headers), "stored");
    headers.push_back({"X", "y"});
    assert_text_equal(refusal_with(headers), "too-many-headers");
}

// ---- named after faults of Django's cache in 2026, each of which leaks pages from a shared cache

TEST(cve_2026_6907_vary_star_is_never_stored) {
    for (std::string_view value : {"*", "Cookie, *", " *"}) {
        assert_text_equal(refusal_with({{"Vary", value}}), "vary-star");
        Case surrogate = sent({{"Surrogate-Control", "max-age=60"}, {"Vary", value}});
        assert_text_equal(refusal(surrogate), "vary-star");
    }
}

TEST(cve_2026_8404_cache_control_is_matched_in_any_case) {
    for (std::string_view value : {"Private", "PRIVATE", "max-age=60, pRiVaTe", "No-Store", "NO-CACHE"}) {
        assert_false(
            sent({{"Cache-Control", value}, {"Expires", "Fri, 31 Dec 9999 23:59:59 GMT"}}).judge().store);
        assert_false(
            sent({{"CACHE-CONTROL", value}, {"Expires", "Fri, 31 Dec 9999 23:59:59 GMT"}}).judge().store);
    }
    assert_int_equal(sent({{"Cache-Control", "MAX-AGE=60"}}).fresh_s(), 60);
}

TEST(cve_2026_48587_white_space_around_vary_values_hides_nothing) {
    for (std::string_view value :
         {" User-Agent", "Cookie ,\tUser-Agent\t", "Cookie,User-Agent ", " * ", "Cookie,\t*"})
        assert_false(sent({{"Cache-Control", "max-age=60"}, {"Vary", value}}).judge().vary.empty());
    assert_text_equal(refusal_with({{"Vary", "\tX-Kept , Cookie\t"}}), "stored");
}

TEST(cve_2026_48588_set_cookie_is_refused_whatever_cookies_were_sent) {
    assert_text_equal(refusal_with({{"Vary", "Cookie"}, {"Set-Cookie", "sessionid=x"}}), "set-cookie");
}

TEST(cve_2026_35192_set_cookie_is_refused_whatever_vary_says) {
    assert_text_equal(refusal_with({{"Set-Cookie", "sessionid=x"}}), "set-cookie");
    assert_text_equal(refusal_with({{"SET-COOKIE", ""}}), "set-cookie");
    Case by_rule = sent({{"Set-Cookie", "csrftoken=x"}, {"Surrogate-Control", "max-age=60"}});
    by_rule.policy.valid = {{1, 60}};
    by_rule.policy.valid_overrides = true;
    assert_text_equal(refusal(by_rule), "set-cookie");
    for (const NamedValue& header : by_rule.judge().headers) assert_true(header.name != "Set-Cookie");
}

TEST(cve_2026_113593_an_absent_and_an_empty_header_have_different_keys) {
    Variant absent{.method = "GET",
                   .scheme = "http",
                   .host = "a",
                   .path = "/",
                   .query = {},
                   .cookies = {},
                   .headers = {}};
    Variant empty = absent;
    empty.headers = {{"x-kept", ""}};
    assert_false(key_of(absent.encode()) == key_of(empty.encode()));
}

TEST(cve_2026_6873_the_parts_of_a_key_can_not_be_shifted_into_each_other) {
    Variant base{.method = "GET",
                 .scheme = "http",
                 .host = "a",
                 .path = "/",
                 .query = {},
                 .cookies = {},
                 .headers = {}};
    auto with = [&](Variant v, std::vector<KeptCookie> cookies, std::vector<NamedValue> headers) {
        v.cookies = std::move(cookies);
        v.headers = std::move(headers);
        return key_of(v.encode()).text();
    };
    Variant query = base;
    query.query = "b";
    Variant path = base;
    path.path = "/b";
    std::set<std::string> keys = {with(base, {{"ab", "c"}}, {}),
                                  with(base, {{"a", "bc"}}, {}),
                                  with(base, {{"a", "b"}, {"c", ""}}, {}),
                                  with(base, {}, {{"ab", "c"}}),
                                  with(base, {}, {{"a", "bc"}}),
                                  with(base, {{"a", ""}}, {{"bc", ""}}),
                                  with(query, {}, {}),
                                  with(path, {}, {}),
                                  with(base, {}, {})};
    assert_int_equal(keys.size(), 9);
}

TEST(qualified_private_and_requests_with_authorization) {
    assert_text_equal(refusal(sent({{"Cache-Control", "max-age=60, private=\"Set-Cookie\""}})), "private");
    assert_text_equal(refusal(sent({{"Cache-Control", "max-age=60, no-cache=\"Set-Cookie\""}})), "no-cache");
    Case c = sent({{"Cache-Control", "max-age=60"}, {"Vary", "Authorization"}});
    c.answer.authorized = true;
    assert_text_equal(refusal(c), "authorization");
}

}  // namespace

TEST_MAIN("cache storable")
