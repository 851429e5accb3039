// Where an include may lead.
#include "edge_includes/include_url.hpp"

#include "tests/cmocka.hpp"

using namespace larder::esi;

namespace {

constexpr PageUrl page{"https", "www.example:443", "/news/today/page.html"};

std::string resolved(std::string_view url, std::span<const std::string_view> allowed = {}) {
    IncludeUrl result = resolve_include_url(url, page, allowed);
    if (!result.ok()) return to_text(result.refusal);
    return result.remote ? result.scheme + "://" + result.host + result.target : result.target;
}

UrlRefusal refusal(std::string_view url) {
    return resolve_include_url(url, page).refusal;
}

struct Case {
    const char* url;
    const char* target;
};

}  // namespace

TEST(references_resolve_against_the_page) {
    for (const Case& test : {Case{"/a/b?c=/../d", "/a/b?c=/../d"},
                             Case{"nav.html", "/news/today/nav.html"},
                             Case{"./nav", "/news/today/nav"},
                             Case{"../nav", "/news/nav"},
                             Case{"../../../../nav", "/nav"},
                             Case{"?q=1", "/news/today/page.html?q=1"},
                             Case{"/a/./b/../c", "/a/c"},
                             Case{"/a/..", "/"},
                             Case{"/a/.", "/a/"},
                             Case{"/a/%2e%2E/b", "/b"},
                             Case{"/a//b", "/a//b"},
                             Case{"/..", "/"},
                             Case{"/...", "/..."},
                             Case{"/", "/"},
                             Case{"a:b", "has a scheme other than http and https"},
                             Case{"./a:b", "/news/today/a:b"},
                             Case{"https://www.example/x", "/x"},
                             Case{"http://WWW.Example:80/x", "/x"},
                             Case{"//www.example?q", "/?q"},
                             Case{"https://www.example:443", "/"}}) {
        // "http://...:80" names the host without its default port, as does the page's with :443 for https
        // only.
        if (std::string_view(test.url).starts_with("http://")) continue;
        assert_text_equal(resolved(test.url), test.target);
    }
}

TEST(default_ports_do_not_matter) {
    PageUrl plain{"http", "www.example", "/"};
    assert_true(resolve_include_url("http://WWW.Example:80/x", plain).ok());
    assert_text_equal(resolve_include_url("http://WWW.Example:80/x", plain).target, "/x");
    assert_true(resolve_include_url("http://www.example:8080/x", plain).refusal == UrlRefusal::foreign_host);
}

TEST(each_refusal_has_its_name) {
    assert_true(refusal("") == UrlRefusal::empty);
    assert_true(refusal("/" + std::string(9000, 'a')) == UrlRefusal::too_long);
    for (const char* url : {"/a b", "/a\r\nX: y", "/a\tb", "/a\x7f", "/a\nb"})
        assert_true(refusal(url) == UrlRefusal::control_character);
    assert_true(refusal(std::string_view("/a\0b", 4)) == UrlRefusal::control_character);
    assert_true(refusal("/caf\xc3\xa9") == UrlRefusal::not_ascii);
    assert_true(refusal("/a\\..\\b") == UrlRefusal::backslash);
    for (const char* url : {"/a%", "/a%2", "/a%zz", "/a%00b"})
        assert_true(refusal(url) == UrlRefusal::bad_escape);
    for (const char* url : {"http://user@www.example/", "//u:p@www.example/", "http://www.example@evil/"}) {
        assert_true(refusal(url) == UrlRefusal::userinfo);
    }
    for (const char* url :
         {"file:///etc/passwd", "javascript:alert(1)", "gopher://x/", "ftp://www.example/", "unix:/run/x"}) {
        assert_true(refusal(url) == UrlRefusal::scheme);
    }
    for (const char* url : {"http:///x", "http:x", "http://:80/", "//", "http://a b", "http://[::1/",
                            "http://www.example:0/", "http://www.example:99999/", "http://www.example:-1/",
                            "http://www.example:/", "http://ex%61mple/", "http://a,b/", "http://[x]/"}) {
        if (resolve_include_url(url, page).ok()) print_error("accepted: %s\n", url);
        assert_false(resolve_include_url(url, page).ok());
    }
    for (const char* url :
         {"http://evil.example/", "//127.0.0.1/", "http://[::1]:6379/", "http://169.254.169.254/latest",
          "http://www.example.evil/", "https://www.example:8443/"}) {
        assert_true(refusal(url) == UrlRefusal::foreign_host);
    }
}

TEST(hosts_may_be_allowed_by_name) {
    constexpr std::string_view allowed[] = {"cdn.example", "api.example:8080", "*.parts.example"};
    assert_text_equal(resolved("//CDN.example/x?y", allowed), "https://cdn.example/x?y");
    assert_text_equal(resolved("http://api.example:8080/../a", allowed), "http://api.example:8080/a");
    assert_text_equal(resolved("https://a.parts.example", allowed), "https://a.parts.example/");
    for (const char* url :
         {"//api.example/", "//parts.example/", "//evilparts.example/", "//x.cdn.example/"}) {
        assert_text_equal(resolved(url, allowed), "leads to a host that is not allowed");
    }
}

TEST(logs_show_no_secrets) {
    assert_text_equal(redact_url("https://user:pass@host/a?token=secret&x=1&flag"),
                      "https://host/a?token=*&x=*&flag");
    assert_text_equal(redact_url("/a\r\n\xff?b"), "/a????b");
    assert_int_equal(redact_url("/" + std::string(1000, 'a')).size(), 200);
}

TEST(a_fragment_is_no_part_of_a_request) {
    PageUrl page{"https", "www.example", "/dir/page"};
    assert_text_equal(resolve_include_url("/a?b=1#c", page).target, "/a?b=1");
    assert_text_equal(resolve_include_url("/a#b\\ c", page).target, "/a");
    assert_true(resolve_include_url("#a", page).refusal == UrlRefusal::empty);
    assert_text_equal(resolve_include_url("/a%2Fb/%2e%2E/c%2F", page).target, "/c%2F");
    assert_text_equal(resolve_include_url("/a%2Fb", page).target, "/a%2Fb");
}

TEST_MAIN("include_url")
