// Cookies: what is kept, and which differences don't matter.
#include "cache/request/cookies.hpp"

#include <algorithm>

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

constexpr std::int64_t now = 1700000000;
const std::string key = "0123456789abcdef0123456789abcdef";

CookieRule rule(std::string name, CookieClass kind) {
    CookieRule made;
    made.name = std::move(name);
    made.kind = kind;
    made.max_age_s = 3600;
    made.signer = std::make_shared<Signer>(std::vector<std::string>{key, "a former key, 16+"}, cookie_salt);
    made.digest_key = key;
    made.buckets = 4;
    return made;
}

std::vector<CookieRule> sorted(std::vector<CookieRule> rules) {
    std::sort(rules.begin(), rules.end());
    return rules;
}

std::string shown(const KeptCookies& kept) {
    std::string text;
    for (const KeptCookie& cookie : kept.cookies())
        text.append(cookie.name)
            .append("=")
            .append(cookie.value)
            .append(cookie.kind == CookieKind::plain ? ";" : "!;");
    if (kept.session()) text.append("(session)");
    return text;
}

std::string kept(const std::vector<std::string_view>& fields, const std::vector<CookieRule>& rules) {
    KeptCookies cookies;
    cookies.collect(fields, rules, now);
    return shown(cookies);
}

const std::vector<CookieRule> site =
    sorted({rule("lang", CookieClass::value), rule("sessionid", CookieClass::presence)});

}  // namespace

TEST(without_a_rule_there_is_no_cookie) {
    assert_text_equal(kept({"a=1; lang=de"}, {}), "");
    assert_text_equal(kept({"a=1; b=2"}, site), "");
}

TEST(a_session_is_reported_and_never_kept) {
    assert_text_equal(kept({"sessionid=k3jh4; lang=de"}, site), "lang=de;(session)");
    assert_text_equal(kept({"lang=de"}, site), "lang=de;");
    KeptCookies cookies;
    std::string_view field = "sessionid=k3jh4";
    cookies.collect({&field, 1}, site, now);
    assert_true(cookies.session());
    assert_text_equal(cookies.field(now), "");  // neither its value nor a replacement
    cookies.collect({}, site, now);
    assert_false(cookies.session());
}

TEST(a_session_is_reported_however_its_cookie_is_written) {
    // Whatever the backend might take for a session is one: legal or not, in any position.
    for (const char* field : {"sessionid=x\x01", "sessionid=\xff", "sessionid=; sessionid=x", "sessionid=\"x\""})
        assert_text_equal(kept({field}, site), "(session)");
    std::string many;
    std::vector<CookieRule> rules{rule("c*", CookieClass::value), rule("sessionid", CookieClass::presence)};
    for (int i = 0; i < 100; i++) many += "c" + std::to_string(i) + "=1; ";
    KeptCookies cookies;
    std::string_view field = many += "sessionid=x";
    cookies.collect({&field, 1}, sorted(rules), now);
    assert_true(cookies.session());
    assert_int_equal(cookies.cookies().size(), max_variant_pairs);
}

TEST(order_spaces_quotes_lines_and_strangers_make_no_difference) {
    const std::string expected = "lang=de;(session)";
    assert_text_equal(kept({"lang=de; sessionid=x"}, site), expected);
    assert_text_equal(kept({"sessionid=x;lang=de"}, site), expected);
    assert_text_equal(kept({"  sessionid = x ;\t lang = de ;;; "}, site), expected);
    assert_text_equal(kept({"lang=\"de\"; sessionid=x"}, site), expected);
    assert_text_equal(kept({"sessionid=x", "lang=de"}, site), expected);
    assert_text_equal(kept({"a; =b; ; lang=de; _ga=GA1.2; sessionid=x; lang2=en"}, site), expected);
    assert_text_equal(kept({"lang=de; sessionid=x; lang=fr; sessionid="}, site), expected);
    assert_text_equal(
        kept({std::string(8192, 'j') + "=" + std::string(100, 'k') + "; lang=de; sessionid=x"}, site),
        expected);
    assert_text_equal(kept({"lang=d\x01; lang=de; sessionid=x; \xff\xfe=\x80"}, site), expected);
}

TEST(an_empty_cookie_is_absent) {
    for (const char* field : {"sessionid=", "sessionid=\"\"", "sessionid", "sessionid=;", "sessionid= "})
        assert_text_equal(kept({field}, site), "");
}

TEST(names_are_exact) {
    assert_text_equal(kept({"Lang=de; SESSIONID=x; xlang=a; langx=b"}, site), "");
}

TEST(a_value_that_is_not_allowed_is_the_default_or_absent) {
    CookieRule lang = rule("lang", CookieClass::value);
    lang.filter.allows = [](std::string_view value) { return value == "de" || value == "fr"; };
    assert_text_equal(kept({"lang=de"}, {lang}), "lang=de;");
    assert_text_equal(kept({"lang=xx"}, {lang}), "");
    lang.filter.fallback = "en";
    assert_text_equal(kept({"lang=xx"}, {lang}), "lang=en;");
    assert_text_equal(kept({""}, {lang}), "lang=en;");
    assert_text_equal(kept({}, {lang}), "lang=en;");
    assert_text_equal(kept({"lang=fr"}, {lang}), "lang=fr;");
}

TEST(buckets_are_stable_numbers_below_their_count) {
    const std::vector<CookieRule> rules{rule("ab", CookieClass::bucket)};
    std::vector<int> seen(4);
    for (int visitor = 0; visitor < 400; visitor++) {
        std::string field = "ab=visitor-" + std::to_string(visitor);
        std::string first = kept({field}, rules);
        assert_text_equal(kept({"x=y; " + field}, rules), first);
        seen.at(static_cast<std::size_t>(std::stoi(first.substr(3))))++;
    }
    for (int count : seen) assert_true(count > 50);
    // Also after an upgrade of Larder: visitors stay in their bucket.
    assert_text_equal(kept({"ab=visitor-1"}, rules), "ab=0;");
}

TEST(a_personal_cookie_is_kept_as_a_keyed_digest_alone) {
    std::vector<CookieRule> rules{rule("sessionid", CookieClass::personal)};
    KeptCookies cookies;
    std::string_view field = "sessionid=secretsecret";
    cookies.collect({&field, 1}, rules, now);
    std::string digest = shown(cookies);
    assert_true(cookies.personal());
    assert_false(cookies.shareable());
    assert_int_equal(digest.size(), std::string("sessionid=").size() + 22 + 2);
    assert_true(digest.find("secret") == std::string::npos);
    assert_text_equal(cookies.field(now), "sessionid=secretsecret");
    assert_true(kept({"sessionid=secretsecreT"}, rules) != digest);
    rules[0].digest_key = "another key, of 16+";
    assert_true(kept({field}, rules) != digest);
    rules[0].shared = true;
    cookies.collect({&field, 1}, rules, now);
    assert_true(cookies.personal() && cookies.shareable());
    cookies.collect({}, rules, now);
    assert_true(!cookies.personal() && cookies.shareable());
}

TEST(the_same_value_under_two_names_has_two_digests) {
    const auto rules = sorted({rule("a", CookieClass::personal), rule("b", CookieClass::personal)});
    std::string both = kept({"a=x; b=x"}, rules);
    assert_true(both.substr(2, 22) != both.substr(28, 22));
}

TEST(a_signed_cookie_is_kept_if_the_signature_is_ours) {
    const std::vector<CookieRule> rules{rule("plan", CookieClass::verified)};
    const Signer ours({key}, cookie_salt), former({"a former key, 16+"}, cookie_salt);
    const Signer forger({"0123456789abcdeX0123456789abcdef"}, cookie_salt), other_salt({key}, "larder.pin");
    assert_text_equal(kept({"plan=" + ours.sign("gold", now - 10)}, rules), "plan=gold!;");
    assert_text_equal(kept({"plan=" + former.sign("gold", now - 10)}, rules), "plan=gold!;");
    assert_text_equal(kept({"plan=" + forger.sign("gold", now - 10)}, rules), "");
    assert_text_equal(kept({"plan=" + other_salt.sign("gold", now - 10)}, rules), "");
    assert_text_equal(kept({"plan=" + ours.sign("gold", now - 3601)}, rules), "");
    assert_text_equal(kept({"plan=" + ours.sign("gold", now + 600)}, rules), "");
    assert_text_equal(kept({"plan=gold"}, rules), "");
    assert_text_equal(kept({"plan=gold; plan=" + ours.sign("gold", now)}, rules), "");  // the first one counts, and is not ours
}

TEST(the_backend_is_sent_what_is_kept) {
    const auto rules = sorted({rule("ab", CookieClass::bucket), rule("lang", CookieClass::value),
                               rule("me", CookieClass::personal), rule("plan", CookieClass::verified),
                               rule("sessionid", CookieClass::presence)});
    const Signer ours({key}, cookie_salt);
    std::string field =
        "z=1; sessionid=s; plan=" + ours.sign("gold", now - 10) + "; me=ann; lang=de; ab=visitor-1";
    std::vector<std::string_view> fields{field};
    KeptCookies cookies;
    cookies.collect(fields, rules, now);
    assert_text_equal(cookies.field(now),
                      "ab=0; lang=de; me=ann; plan=" + ours.sign("gold", now));
}

TEST(a_pattern_covers_names_and_an_exact_rule_goes_first) {
    const auto rules =
        sorted({rule("lang_*", CookieClass::bucket), rule("_*_size", CookieClass::value),
                rule("lang_x", CookieClass::value), rule("*_session", CookieClass::presence)});
    assert_text_equal(kept({"lang_x=a; lang_y=b; _shop_size=c; _size=d; __size=e"}, rules),
                      "__size=e;_shop_size=c;lang_x=a;lang_y=3;");
    assert_text_equal(kept({"_shop_session=a"}, rules), "(session)");
    assert_text_equal(kept({"session=a; _session_=b"}, rules), "");
}

TEST(a_bypass_cookie_is_reported) {
    KeptCookies cookies;
    std::string_view with = "messages=W1sx", without = "messages=";
    const std::vector<CookieRule> rules = sorted(cookie_preset("django"));
    cookies.collect({&with, 1}, rules, now);
    assert_true(cookies.bypass());
    cookies.collect({&without, 1}, rules, now);
    assert_false(cookies.bypass());
}

TEST(no_more_than_64_cookies_are_kept) {
    std::string field;
    for (int i = 0; i < 100; i++) field += "s" + std::to_string(i) + "=v; ";
    KeptCookies cookies;
    std::vector<std::string_view> fields{field};
    const std::vector<CookieRule> rules{rule("s*", CookieClass::personal)};
    cookies.collect(fields, rules, now);
    assert_int_equal(cookies.cookies().size(), max_variant_pairs);
}

TEST(presets_are_known_by_their_names) {
    for (const char* name : {"django", "rails", "laravel", "php", "wordpress", "mediawiki", "express"}) {
        std::vector<CookieRule> rules = cookie_preset(name);
        assert_false(rules.empty());
        for (const CookieRule& made : rules) {
            assert_false(made.text.empty());
            assert_true(made.of_preset);
        }
    }
    assert_true(cookie_preset("cobol").empty());
    const std::pair<const char*, const char*> sessions[] = {
        {"django", "sessionid=x"},
        {"rails", "_shop_session=x"},
        {"rails", "remember_user_token=x"},
        {"laravel", "laravel_session=x"},
        {"laravel", "shop-session=x"},
        {"laravel", "remember_web_59ba36=x"},
        {"php", "PHPSESSID=x"},
        {"wordpress", "wordpress_logged_in_5f3a=x"},
        {"mediawiki", "my_wiki_session=x"},
        {"mediawiki", "my_wikiToken=x"},
        {"express", "connect.sid=x"},
    };
    for (const auto& [name, field] : sessions)
        assert_text_equal(kept({field}, sorted(cookie_preset(name))), "(session)");
    const std::pair<const char*, const char*> nobodys[] = {
        {"django", "csrftoken=x; _ga=1"},          {"wordpress", "wordpress_test_cookie=x; wp-settings-1=x"},
        {"mediawiki", "my_wikiUserName=x"},        {"laravel", "XSRF-TOKEN=x"},
        {"rails", "session=x; _shop_session=; a="}};
    for (const auto& [name, field] : nobodys)
        assert_text_equal(kept({field}, sorted(cookie_preset(name))), "");
}

TEST(the_language_that_a_visitor_chose_on_a_django_site_is_kept) {
    const auto django = sorted(cookie_preset("django"));
    for (const char* tag : {"de", "pt-br", "zh-Hant", "sr-latn-rs", "x-12345678"})
        assert_text_equal(kept({"django_language=" + std::string(tag)}, django),
                          "django_language=" + std::string(tag) + ";");
    for (const char* none : {"", "-de", "de-", "de--ch", "de_CH", "d e", "123456789", "../../etc",
                             "aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa-a"})
        assert_text_equal(kept({"django_language=" + std::string(none)}, django), "");
}

TEST(a_cookie_that_is_ignored_is_one_without_a_rule) {
    const auto rules =
        sorted({rule("*_session", CookieClass::presence), rule("chat_session", CookieClass::ignore)});
    assert_text_equal(kept({"chat_session=x"}, rules), "");
    assert_text_equal(kept({"chat_session=x; shop_session=y"}, rules), "(session)");
}

TEST(names_of_sessions_are_known) {
    for (const char* name :
         {"sessionid", "PHPSESSID", "_shop_session", "laravel_session", "x-session", "wordpress_logged_in_1"})
        assert_true(is_session_name(name));
    for (const char* name : {"ab", "visitor", "session_hint", "abToken", "lang"}) assert_false(is_session_name(name));
    assert_true(is_session_name("*_session"));  // a pattern
}

TEST_MAIN("cookies")
