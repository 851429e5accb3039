// All spellings of a URL that mean the same have one form, and other URLs have other forms.
#include "cache/request/url.hpp"

#include <random>

#include "tests/cmocka.hpp"

using namespace larder;

static std::string authority(std::string_view text, std::string_view scheme = "http") {
    std::string storage;
    return std::string(normalise_authority(text, scheme, storage));
}

TEST(an_authority_has_one_form) {
    const std::pair<const char*, const char*> forms[] = {
        {"example.org", "example.org"},
        {"Example.ORG", "example.org"},
        {"example.org.", "example.org"},
        {"example.org:", "example.org"},
        {"example.org:80", "example.org"},
        {"example.org:0080", "example.org"},
        {"EXAMPLE.org.:80", "example.org"},
        {"example.org:8080", "example.org:8080"},
        {"example.org:08080", "example.org:8080"},
        {"example.org.:8080", "example.org:8080"},
        {"example.org:443", "example.org:443"},
        {"[::1]", "[::1]"},
        {"[2001:DB8::1]:80", "[2001:db8::1]"},
        {"[2001:db8::80]", "[2001:db8::80]"},
        {"[::1]:8080", "[::1]:8080"},
        {"", ""},
        {".", "."},
    };
    for (auto [text, form] : forms) assert_text_equal(authority(text), form);
    assert_text_equal(authority("example.org:443", "https"), "example.org");
    assert_text_equal(authority("example.org:80", "https"), "example.org:80");
}

TEST(what_is_another_authority_stays_another) {
    for (const char* text : {"example.org:8", "example.org:80a", "example.org:80:80", "example.org..",
                             "ex%61mple.org", "a@example.org", "example.org:+80", "::80"})
        assert_text_equal(authority(text), text);
}

TEST(a_normal_authority_stays_as_it_is) {
    for (const char* text : {"example.org", "example.org:8080", "[::1]:8080", "[::1]"}) {
        std::string storage;
        std::string_view given = text;
        assert_true(normalise_authority(given, "http", storage).data() == given.data());
        assert_true(storage.empty());
        assert_text_equal(normalise_authority(authority(text), "http", storage), text);
    }
}

TEST(ports) {
    assert_text_equal(port_of("h:8080"), "8080");
    assert_text_equal(port_of("h:"), "");
    assert_text_equal(port_of("h"), "");
    assert_text_equal(port_of("[::1]"), "");
    assert_text_equal(port_of("[::1]:1"), "1");
}

static std::string path(std::string_view text) {
    std::string storage;
    return std::string(normalise_path(text, storage));
}

static std::string parsed(std::string_view text) {
    auto url = parse_url(text);
    return url ? url->text() : "none";
}

TEST(a_path_has_one_form) {
    const std::pair<const char*, const char*> forms[] = {
        {"", "/"},
        {"/", "/"},
        {"/a", "/a"},
        {"/%7ea%2db%41", "/~a-bA"},
        {"/caf%c3%a9", "/caf%C3%A9"},
        {"/caf\xc3\xa9", "/caf%C3%A9"},
        {"/a b|c", "/a%20b%7Cc"},
        {"/a/./b/../c", "/a/c"},
        {"/a/%2e/b/%2E%2e/c", "/a/c"},
        {"/..", "/"},
        {"/../../a", "/a"},
        {"/a/..", "/"},
        {"/a/.", "/a/"},
        {"/a//../b", "/a/b"},
        {"/.well-known/...", "/.well-known/..."},
    };
    for (auto [text, form] : forms) {
        assert_text_equal(path(text), form);
        assert_text_equal(path(form), form);
    }
}

TEST(what_is_reserved_or_doubled_stays) {
    for (const char* text :
         {"/a//b", "//a", "/a%2Fb", "/a;b=c", "/a%3Bb", "/(1)", "/%281%29", "/100%25", "/a%2541", "/%3F",
          "/%23", "/http://img/a.jpg", "/a+b", "/a%2Bb", "/[1]", "/100%"})
        assert_text_equal(path(text), text);
}

TEST(urls) {
    assert_text_equal(parsed("HTTP://H.:80/a/../%7e?%2f#f"), "http://h/~?%2F");
    assert_text_equal(parsed("https://h:443"), "https://h/");
    assert_text_equal(parsed("https://h?q"), "https://h/?q");
    assert_text_equal(parsed("http://[::1]:8080/"), "http://[::1]:8080/");
    assert_text_equal(parsed("http://h//a//b"), "http://h//a//b");
    for (const char* bad :
         {"", "/path", "//h/", "ftp://h/", "http:/h", "http:", "http:///p", "http://:80/", "http://u@h/",
          "http://h:99999/", "http://h:x/", "http://h\\x/", "http://h /", "http://h/a\r\nb", "http://[/"})
        assert_text_equal(parsed(bad), "none");
}

TEST(references) {  // RFC 3986 section 5.4, as far as it applies to http
    const Url base = *parse_url("http://a/b/c/d;p?q");
    const std::pair<const char*, const char*> examples[] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {";x", "http://a/b/c/;x"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"HTTP://A:80/t", "http://a/t"},
    };
    for (auto [reference, url] : examples) {
        auto got = resolve_url(reference, base);
        assert_text_equal(got ? got->text() : "none", url);
    }
    for (const char* bad : {"mailto:x", "http:g", "ftp://a/", "//u@h/", "a\nb"})
        assert_false(resolve_url(bad, base).has_value());
}

// Another spelling of the URL, equivalent by RFC 3986 section 6.2.2.
static std::string other_spelling(const Url& url, std::mt19937& random) {
    auto coin = [&random] { return random() % 2 == 0; };
    auto respell = [&](std::string_view text, bool dots) {
        std::string out;
        for (std::size_t i = 0; i < text.size(); i++) {
            char c = text[i];
            bool slash_next = i + 1 < text.size() && dots && c == '/';
            if (slash_next && coin()) out += coin() ? "/." : coin() ? "/%2e" : "/x%41/%2E.";
            if (c == '%') {
                for (int d = 1; d <= 2; d++) {
                    char digit = text[i + static_cast<std::size_t>(d)];
                    out += d == 1 ? "%" : "";
                    out += coin() && digit >= 'A' ? static_cast<char>(digit | 0x20) : digit;
                }
                i += 2;
            } else if (std::isalnum(static_cast<unsigned char>(c)) && random() % 4 == 0) {
                char escape[4];
                std::snprintf(escape, sizeof escape, coin() ? "%%%02x" : "%%%02X", static_cast<unsigned>(c));
                out += escape;
            } else {
                out += c;
            }
        }
        return out;
    };
    std::string text;
    for (char c : url.scheme + "://" + url.authority) text += coin() ? static_cast<char>(std::toupper(c)) : c;
    if (url.authority.find(':') == std::string::npos) {
        if (coin()) text += ".";
        if (coin()) text += coin() ? ":" : url.scheme == "https" ? ":443" : ":080";
    }
    text += respell(url.path, true);
    if (!url.query.empty()) text += "?" + respell(url.query, false);
    return coin() ? text + "#x" : text;
}

static Url random_url(std::mt19937& random) {
    static const char* pieces[] = {"a", "b",   "/", "//",     "%2F", "%25", "%3F", "%23",
                                   ";", "%3B", "+", "%C3%A9", "(",   "%28", "~",   "c.d"};
    Url url{random() % 2 == 0 ? "http" : "https", random() % 2 == 0 ? "h" : "h:8080", "/", ""};
    for (auto n = random() % 6; n > 0; n--) url.path += pieces[random() % std::size(pieces)];
    for (auto n = random() % 3; n > 0; n--) url.query += pieces[random() % std::size(pieces)];
    return url;
}

TEST(what_looks_normal_is_normal) {
    for (const char* normal : {"/", "/a/b.c?d=/.&e", "/a//b", "/a?b?c", "/a.."})
        assert_true(is_plainly_normal(normal));
    for (const char* other : {"", "a", "?a", "//a", "/.", "/a/./b", "/a/../b", "/%61", "/a#b", "/a?b#c", "/a?", "/a b",
                              "/a\\b", "/a?b=\"", "/\x80", "http://h/a"})
        assert_false(is_plainly_normal(other));
    const Url base{"http", "h", "/base/page", ""};
    const std::string_view pieces[] = {"/", ".", "..", "a", "%41", "%2F", "?", "#", ":", "@", "=", "&", "\\", "\"", "~"};
    std::minstd_rand random(20261128);
    int normal = 0;
    for (int i = 0; i < 20000; i++) {
        std::string target = "/";
        for (unsigned n = random() % 8; n != 0; n--) target += pieces[random() % std::size(pieces)];
        if (!is_plainly_normal(target)) continue;
        normal++;
        auto url = resolve_url(target, base);
        assert_true(url && url->target() == target && url->authority == "h");
    }
    assert_true(normal > 500);
}

TEST(every_spelling_of_a_url_has_its_form_and_no_other_url_has_it) {
    std::mt19937 random(20261128);
    for (int i = 0; i < 50'000; i++) {
        Url a = random_url(random), b = random_url(random);
        assert_text_equal(parsed(a.text()), a.text());
        std::string spelling = other_spelling(a, random);
        if (parsed(spelling) != a.text()) fail_msg("%s is %s", spelling.c_str(), parsed(spelling).c_str());
        assert_true((parsed(other_spelling(b, random)) == parsed(spelling)) == (a == b));
    }
}

TEST_MAIN("url")
