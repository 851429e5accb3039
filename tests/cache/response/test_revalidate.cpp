// Validation: the conditions that are sent, and the entry after a 304 (RFC 9111 sections 3.2 and 4.3.4).
#include "cache/response/revalidate.hpp"

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

using Headers = std::vector<NamedValue>;

constexpr std::int64_t stored_ms = 1700000000000, now = stored_ms + 3'600'000;

std::string entry(Headers headers, Headers steering = {}, std::uint16_t status = 200,
                  std::uint32_t render_ms = 0) {
    static const std::string variant = Variant{
        .method = "GET",
        .scheme = "http",
        .host = "a",
        .path = "/",
        .query = {},
        .cookies = {},
        .headers = {}}.encode();
    EntryParts parts;
    parts.status = status;
    parts.render_ms = render_ms;
    parts.created_ms = stored_ms;
    parts.life = {stored_ms, 60'000, 0, 0, 86'400'000};
    parts.variant = variant;
    parts.tags = {"news"};
    parts.headers = std::move(headers);
    parts.steering = std::move(steering);
    parts.plan = "a plan";
    parts.body = "the body";
    return build_entry(parts);
}

Answer not_modified(Headers headers) {
    Answer answer;
    answer.status = 304;
    answer.headers = std::move(headers);
    answer.request_ms = now;
    answer.response_ms = now + 5;
    return answer;
}

// The updated entry as text; "-" if there is none.
std::string updated(const std::string& old, Headers headers) {
    Storability decision;
    Answer answer = not_modified(std::move(headers));
    const char* why = nullptr;
    auto parts = revalidated(Policy(), EntryView::parse(old, &why).value(), answer, decision);
    if (!parts) return "-";
    std::string text =
        std::to_string(parts->status) + " fresh " + std::to_string(parts->life.fresh_ms / 1000) + "\n";
    for (const NamedValue& header : parts->headers)
        text.append(header.name).append(": ").append(header.value).append("\n");
    for (const NamedValue& field : parts->steering)
        text.append("(").append(field.name).append(": ").append(field.value).append(")\n");
    for (std::string_view tag : parts->tags) text.append("#").append(tag).append("\n");
    return text.append(parts->plan).append("|").append(parts->body);
}

Audience audience(const std::string& old, Headers headers) {
    Storability decision;
    Answer answer = not_modified(std::move(headers));
    const char* why = nullptr;
    return revalidated(Policy(), EntryView::parse(old, &why).value(), answer, decision).value().audience;
}

}  // namespace

TEST(a_validation_sends_the_validators_of_the_entry) {
    auto asked = [](const std::string& bytes) {
        const char* why = nullptr;
        Condition condition = condition_of(EntryView::parse(bytes, &why).value(), false);
        return std::string(condition.if_none_match) + "|" + std::string(condition.if_modified_since);
    };
    assert_text_equal(asked(entry({{"ETag", "\"1\""}})), "\"1\"|");
    assert_text_equal(asked(entry({{"etag", "W/\"1\""}, {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}})),
                      "W/\"1\"|Sun, 06 Nov 1994 08:49:37 GMT");
    assert_text_equal(asked(entry({{"Last-Modified", "some day"}})), "|");
    assert_text_equal(asked(entry({{"Content-Type", "text/html"}})), "|");
    assert_text_equal(asked(entry({{"ETag", "\"1\""}}, {}, 404)), "|");
}

// RFC 9110 section 8.8.2.2: the date might not be a strong validator.
TEST(a_date_of_the_second_of_the_render_is_not_asked_with) {
    constexpr std::string_view modified = "Tue, 14 Nov 2023 22:13:18 GMT";
    auto strong = [](Headers headers, std::uint32_t render_ms = 0) {
        EntryParts parts;
        const std::string bytes = entry(std::move(headers), {}, 200, render_ms);
        EntryView view = EntryView::trusted(bytes);
        assert_true(condition_of(view, false).if_modified_since.empty() != has_strong_date(view));
        return has_strong_date(view);
    };
    assert_false(strong({{"Last-Modified", modified}, {"Date", "Tue, 14 Nov 2023 22:13:18 GMT"}}));
    assert_true(strong({{"Last-Modified", modified}, {"Date", "Tue, 14 Nov 2023 22:13:19 GMT"}}));
    // Date is the end of the render, which may have begun in the second of the change.
    assert_false(strong({{"Last-Modified", modified}, {"Date", "Tue, 14 Nov 2023 22:13:19 GMT"}}, 1));
    assert_true(strong({{"Last-Modified", modified}, {"Date", "Tue, 14 Nov 2023 22:13:21 GMT"}}, 2000));
    assert_false(strong({{"Last-Modified", modified}, {"Date", "Tue, 14 Nov 2023 22:13:10 GMT"}}));
    // Without Date, our clock counts: created at 22:13:20.
    assert_true(strong({{"Last-Modified", "Tue, 14 Nov 2023 22:13:19 GMT"}}));
    assert_false(strong({{"Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"}}));
    assert_false(strong({{"Last-Modified", "some day"}}));
}

TEST(after_a_purge_no_weak_tag_is_asked_with) {
    auto asked = [](const std::string& bytes) {
        Condition condition = condition_of(EntryView::trusted(bytes), true);
        return std::string(condition.if_none_match) + "|" + std::string(condition.if_modified_since);
    };
    assert_text_equal(asked(entry({{"ETag", "W/\"1\""}})), "|");
    assert_text_equal(asked(entry({{"ETag", "\"1\""}})), "\"1\"|");
    assert_text_equal(asked(entry({{"ETag", "W/\"1\""}, {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}})),
                      "|Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(after_a_304_the_date_is_that_of_the_304) {
    std::string old = entry({{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}, {"Date", "Tue, 14 Nov 2023 22:13:20 GMT"}});
    assert_text_equal(updated(old, {}), "200 fresh 60\nETag: \"1\"\nCache-Control: max-age=60\n#news\na plan|the body");
    assert_text_equal(updated(old, {{"Date", "Tue, 14 Nov 2023 23:13:20 GMT"}}),
                      "200 fresh 60\nDate: Tue, 14 Nov 2023 23:13:20 GMT\nETag: \"1\"\nCache-Control: max-age=60\n#news\na "
                      "plan|the body");
}

TEST(times_are_those_of_the_304) {
    std::string old = entry({{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}});
    assert_text_equal(updated(old, {{"Cache-Control", "max-age=90"}}),
                      "200 fresh 90\nCache-Control: max-age=90\nETag: \"1\"\n#news\na plan|the body");
    Storability decision;
    Answer answer = not_modified({{"Age", "10"}});
    const char* why = nullptr;
    auto parts = revalidated(Policy(), EntryView::parse(old, &why).value(), answer, decision);
    assert_int_equal(parts->life.base_ms, now + 5 - 10'005);
}

TEST(fields_that_a_304_lacks_stay) {
    assert_text_equal(updated(entry({{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}, {"X-A", "a"}}), {}),
                      "200 fresh 60\nETag: \"1\"\nCache-Control: max-age=60\nX-A: a\n#news\na plan|the body");
    // Django's 304 repeats Cache-Control, which is for browsers, but not Surrogate-Control, which is for us.
    assert_text_equal(updated(entry({{"ETag", "\"1\""}, {"Cache-Control", "max-age=0"}},
                                    {{"Surrogate-Control", "max-age=600"}}),
                              {{"Cache-Control", "max-age=0"}, {"ETag", "\"1\""}}),
                      "200 fresh 600\nCache-Control: max-age=0\nETag: \"1\"\n(Surrogate-Control: "
                      "max-age=600)\n#news\na plan|the body");
}

TEST(the_audience_stays_unless_the_304_names_another) {
    Headers stored{{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}};
    std::string everybodys = entry(stored, {{"Larder-Audience", "everybody"}});
    assert_true(audience(everybodys, {}) == Audience::everybody);
    assert_true(audience(everybodys, {{"Larder-Audience", "site"}}) == Audience::without_session);
    assert_true(audience(entry(stored), {}) == Audience::without_session);
    assert_true(audience(entry(stored), {{"Larder-Audience", "everybody"}}) == Audience::everybody);
}

TEST(fields_are_replaced_by_name_but_not_those_of_the_body) {
    assert_text_equal(
        updated(entry({{"ETag", "\"1\""},
                       {"Cache-Control", "max-age=60"},
                       {"Link", "</a>"},
                       {"link", "</b>"},
                       {"Content-Type", "text/html"}}),
                {{"LINK", "</c>"}, {"Content-Type", "text/plain"}, {"Content-Length", "0"}}),
        "200 fresh 60\nLINK: </c>\nETag: \"1\"\nCache-Control: max-age=60\nContent-Type: text/html\n#news\na "
        "plan|the body");
}

TEST(tags_are_replaced_if_there_are_new_ones) {
    std::string old = entry({{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}});
    assert_true(updated(old, {{"Surrogate-Key", "sports home"}}).find("#sports\n#home\na plan") !=
                std::string::npos);
}

TEST(a_304_with_another_etag_is_refused) {
    std::string old = entry({{"ETag", "W/\"1\""}, {"Cache-Control", "max-age=60"}});
    assert_text_equal(updated(old, {{"ETag", "\"2\""}}), "-");
    assert_true(updated(old, {{"ETag", "\"1\""}}) != "-");  // weak comparison
}

TEST(a_304_may_end_storability) {
    std::string old = entry({{"ETag", "\"1\""}, {"Cache-Control", "max-age=60"}});
    assert_text_equal(updated(old, {{"Cache-Control", "no-store"}}), "-");
    assert_text_equal(updated(old, {{"Cache-Control", "private"}}), "-");
    assert_text_equal(updated(old, {{"Set-Cookie", "a=1"}}), "-");
    assert_text_equal(updated(old, {{"Vary", "*"}}), "-");
}

TEST_MAIN("revalidate")
