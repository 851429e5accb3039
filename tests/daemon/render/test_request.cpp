// The request for a variant.
#include "daemon/render/request.hpp"

#include "cache/signer.hpp"
#include "tests/cmocka.hpp"

using namespace larder;
using namespace larder::daemon;

namespace {

Variant page() {
    return {.method = "GET",
            .scheme = "https",
            .host = "example.com",
            .path = "/a/../b",
            .query = "x=1",
            .cookies = {},
            .headers = {}};
}

BackendSettings backend() {
    BackendSettings settings;
    settings.name = "site";
    settings.url = "http://127.0.0.1:8000";
    settings.hosts = {"*"};
    return settings;
}

std::string text(const Variant& variant, const BackendSettings& settings = backend(),
                 EsiMode esi = EsiMode::off, const SigningSettings& signing = {}) {
    Policy policy;
    policy.esi = esi;
    const char* why = nullptr;
    auto request = backend_request(variant, policy, settings, signing, 1700000000, &why);
    if (!request) return std::string("refused: ") + why;
    std::string out = request->target + "\n";
    for (const auto& [name, value] : request->fields) out += name + ": " + value + "\n";
    return out;
}

}  // namespace

TEST(it_is_the_variant_and_nothing_else) {
    assert_text_equal(text(page()),
                      "/a/../b?x=1\nHost: example.com\nUser-Agent: larderd\nX-Forwarded-Proto: https\n");
}

TEST(kept_cookies_and_headers_are_sent) {
    Variant variant = page();
    variant.cookies = {{"lang", "de"}, {"theme", "dark"}};
    variant.headers = {{"accept-language", "de"}, {"user-agent", "phone"}, {"x-empty", ""}};
    assert_text_equal(text(variant),
                      "/a/../b?x=1\nHost: example.com\naccept-language: de\nuser-agent: phone\nx-empty: "
                      "\nCookie: lang=de; theme=dark\n"
                      "X-Forwarded-Proto: https\n");
}

TEST(the_group_of_a_session_is_sent) {
    Variant variant = page();
    variant.headers = {{"larder-group", "editor"}};
    assert_true(text(variant).find("\nlarder-group: editor\n") != std::string::npos);
}

TEST(a_persons_page_is_no_business_of_ours) {
    Variant variant = page();
    variant.cookies = {{"sessionid", "0123456789abcdef", CookieKind::digest}};
    assert_text_equal(text(variant), "refused: the variant can't be asked for without its visitor");
}

TEST(a_page_for_those_with_credentials_is_asked_for_by_one_of_them) {
    Variant variant = page();
    variant.headers = {{authorization_field, ""}};
    assert_text_equal(text(variant), "refused: the variant can't be asked for without its visitor");
}

TEST(a_verified_cookie_is_signed_anew) {
    Variant variant = page();
    variant.cookies = {{"plan", "gold", CookieKind::verified}};
    assert_text_equal(text(variant), "refused: the variant holds a signed cookie, and there is no [signing] key");
    SigningSettings signing;
    signing.key = "0123456789abcdef";
    std::string field = "Cookie: plan=" + Signer({signing.key}, cookie_salt).sign("gold", 1700000000) + "\n";
    assert_true(text(variant, backend(), EsiMode::off, signing).find(field) != std::string::npos);
}

TEST(the_backends_settings_apply) {
    BackendSettings settings = backend();
    settings.host_header = "inside";
    settings.headers = {{"X-Key", "1"}};
    assert_text_equal(text(page(), settings, EsiMode::automatic),
                      "/a/../b?x=1\nHost: inside\nUser-Agent: larderd\nX-Forwarded-Proto: "
                      "https\nSurrogate-Capability: larder=\"ESI/1.0\"\nX-Key: 1\n");
}

TEST(a_backends_field_goes_before_ours) {
    BackendSettings settings = backend();
    settings.headers = {{"x-forwarded-proto", "https"}, {"User-Agent", "the site's"}};
    Variant variant = page();
    variant.scheme = "http";
    assert_text_equal(text(variant, settings),
                      "/a/../b?x=1\nHost: example.com\nx-forwarded-proto: https\nUser-Agent: the site's\n");
}

TEST(a_hostile_variant_is_refused) {
    Variant variant = page();
    variant.method = "POST";
    assert_text_equal(text(variant), "refused: the variant's method is not GET");
    variant = page();
    variant.led = "@app#1/x";
    assert_text_equal(text(variant), "refused: an if of nginx's configuration led its visitors, which a backend that is asked "
                                     "directly knows nothing of");
    for (const char* name : {"host", "cookie", "content-length", "transfer-encoding", "connection", "upgrade",
                             "larder-route"}) {
        variant = page();
        variant.headers = {{name, "x"}};
        assert_text_equal(text(variant), "refused: the variant holds a header that must not be sent");
    }
}

TEST(the_first_backend_that_matches_renders) {
    Settings settings;
    for (auto [name, host] : {std::pair("exact", "www.example.com"), std::pair("below", "*.example.com"),
                              std::pair("port", "other.org:81")}) {
        BackendSettings& added = settings.backends.emplace_back(backend());
        added.name = name;
        added.hosts = {host};
    }
    auto name = [&settings](const char* host) {
        const BackendSettings* found = backend_for(settings, host);
        return found == nullptr ? std::string("-") : found->name;
    };
    assert_text_equal(name("www.example.com"), "exact");
    assert_text_equal(name("www.example.com:8080"), "exact");
    assert_text_equal(name("a.b.example.com"), "below");
    assert_text_equal(name("example.com"), "-");
    assert_text_equal(name("badexample.com"), "-");
    assert_text_equal(name(".example.com"), "-");
    assert_text_equal(name("other.org:81"), "port");
    assert_text_equal(name("other.org"), "-");
}

TEST_MAIN("request")
