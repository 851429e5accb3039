// The promise behind all the rules: two requests have the same key if and only if the backend could not tell them
// apart.
#include <map>
#include <random>

#include "cache/request/cookies.hpp"
#include "cache/request/key.hpp"
#include "cache/request/language.hpp"
#include "cache/request/query.hpp"
#include "tests/cmocka.hpp"

using namespace larder;

namespace {

constexpr std::int64_t now = 1700000000;
constexpr int pairs = 100'000;
const std::string key = "0123456789abcdef0123456789abcdef";
const Signer signer({key}, cookie_salt);
const Signer forger({"not the key of anybody"}, cookie_salt);

std::vector<CookieRule> site_rules() {
    std::vector<CookieRule> rules(5);
    const CookieClass kinds[] = {CookieClass::bucket, CookieClass::value, CookieClass::personal,
                                 CookieClass::verified, CookieClass::presence};
    const char* names[] = {"ab", "lang", "me", "plan", "sessionid"};
    for (std::size_t i = 0; i < rules.size(); i++) {
        rules[i].name = names[i];
        rules[i].kind = kinds[i];
        rules[i].buckets = 3;
        rules[i].max_age_s = 3600;
        rules[i].digest_key = key;
        rules[i].signer = std::make_shared<Signer>(std::vector<std::string>{key}, cookie_salt);
    }
    rules[1].filter.allows = [](std::string_view value) {
        return value == "de" || value == "fr" || value == "en";
    };
    rules[1].filter.fallback = "en";
    return rules;
}

using Random = std::mt19937;

std::string pick(Random& random, const std::vector<std::string>& choices) {
    return choices[random() % choices.size()];
}

// What visitors send: all spellings, much junk, and few different values, so that equal keys occur.
std::string random_cookies(Random& random) {
    std::string field;
    for (int left = static_cast<int>(random() % 7); left > 0; left--) {
        std::string name =
            pick(random, {"ab", "lang", "me", "plan", "sessionid", "_ga", "junk", "Lang", "=", ""});
        std::string value = pick(
            random, {"", "de", "fr", "xx", "\"de\"", "1", "2", "v\x01", "a b", signer.sign("gold", now - 5),
                     signer.sign("gold", now - 9), signer.sign("de", now), forger.sign("gold", now)});
        field += pick(random, {"", " ", ";"}) + name + pick(random, {"=", " = "}) + value +
                 pick(random, {";", "; ", ";;"});
    }
    return field;
}

std::string random_query(Random& random) {
    std::string query;
    for (int left = static_cast<int>(random() % 4); left > 0; left--) {
        query += pick(random, {"a", "b", "%61", "utm_source", "utm%5Fsource", "A"}) +
                 pick(random, {"=", "%3D", ""}) + pick(random, {"1", "%31", "%2f", "%2F", "%", "&", "%26"}) +
                 "&";
    }
    return query;
}

struct Outcome {
    std::string variant;  // that the key is computed from
    std::string seen;     // what the backend sees
    bool session;
};

Outcome canonical(const std::string& path, const std::string& query, const std::string& cookies,
                  const std::string& languages) {
    static const std::vector<CookieRule> rules = site_rules();
    static const QueryRule query_rule{QueryRule::Kind::drop, true, {"utm_*"}};
    static const std::vector<std::string> supported{"en", "de"};
    static KeptCookies kept;
    std::string storage;
    std::string_view field = cookies;
    kept.collect({&field, 1}, rules, now);
    std::string_view kept_query = normalise_query(query_rule, query, storage);
    std::string_view language = choose_language(languages, supported);
    char buffer[max_variant_bytes];
    VariantWriter writer(buffer, sizeof buffer);
    writer.start("GET", "http", "example.org", path, kept_query, "", "");
    writer.start_pairs();
    for (const KeptCookie& cookie : kept.cookies()) writer.cookie(cookie);
    writer.start_pairs();
    writer.header("accept-language", language);
    std::string seen =
        path + "?" + std::string(kept_query) + "\n" + kept.field(now) + "\n" + std::string(language);
    return {std::string(*writer.finish()), seen, kept.session()};
}

Outcome random_outcome(Random& random) {
    return canonical(pick(random, {"/", "/a"}), random_query(random), random_cookies(random),
                     pick(random, {"", "de", "de-CH", "en;q=0.1, de;q=0.2", "*", "fr;q=x"}));
}

}  // namespace

TEST(two_requests_share_a_key_exactly_if_the_backend_cannot_tell_them_apart) {
    Random random(20261126);
    int alike = 0;
    std::map<std::string, std::string> seen_by_variant, variant_by_seen;
    for (int i = 0; i < pairs; i++) {
        Outcome a = random_outcome(random), b = random_outcome(random);
        bool same_key = key_of(a.variant) == key_of(b.variant);
        if (same_key != (a.seen == b.seen)) fail_msg("[%s]\nand\n[%s]", a.seen.c_str(), b.seen.c_str());
        alike += same_key;
        for (const Outcome& outcome : {a, b}) {  // also compared with all earlier ones
            assert_text_equal(seen_by_variant.emplace(outcome.variant, outcome.seen).first->second,
                              outcome.seen);
            assert_text_equal(variant_by_seen.emplace(outcome.seen, outcome.variant).first->second,
                              outcome.variant);
        }
    }
    assert_true(alike > pairs / 200);
    assert_true(seen_by_variant.size() > 1000);
}

// A visitor with a session looks for the page of visitors without one, and is told apart before it is served.
// Requests for the cache are made without a session: neither the cookie's value nor a replacement is in the key, or
// sent to the backend.
TEST(a_session_is_in_no_key_and_in_no_request_for_a_page_that_is_kept) {
    Random random(20261128);
    int sessions = 0;
    for (int i = 0; i < pairs; i++) {
        std::string cookies = random_cookies(random);
        std::string session =
            pick(random, {"sessionid=k3j4; ", "sessionid=1;", " sessionid = \"x\" ;", "sessionid=\x01;"});
        Outcome without = canonical("/", "", cookies, ""), with = canonical("/", "", session + cookies, "");
        assert_true(with.session);
        assert_text_equal(with.variant, without.variant);
        assert_text_equal(with.seen, without.seen);
        assert_true(without.seen.find("sessionid") == std::string::npos);
        assert_true(without.variant.find("sessionid") == std::string::npos);
        sessions += without.session;
    }
    assert_true(sessions > pairs / 20 && sessions < pairs / 2);
}

TEST_MAIN("same key")
