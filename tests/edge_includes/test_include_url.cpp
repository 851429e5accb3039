// The URLs of includes: resolution, and what is refused.
#include "edge_includes/include_url.hpp"

#include "tests/cmocka.hpp"

using namespace larder::esi;

namespace {

constexpr PageUrl page{"https", "www.example:443", "/news/today/page.html"};

std::string resolved(std::string_view url) {
    IncludeUrl result = resolve_include_url(url, page);
    return result.ok() ? result.target : to_text(result.refusal);
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
                             Case{"/%7euser/%c3%a9?%2f", "/~user/%C3%A9?%2F"},
                             Case{"/a?", "/a"},
                             Case{"/", "/"},
                             Case{"a:b", "has a scheme other than http and https"},
                             Case{"./a:b", "/news/today/a:b"},
                             Case{"https://www.example/x", "/x"},
                             Case{"http://WWW.Example:80/x", "/x"},
                             Case{"//www.example?q", "/?q"},
                             Case{"http://www.example:/", "/"},
                             Case{"https://www.example.:0443", "/"}}) {
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
                            "http://ex%61mple/", "http://a,b/", "http://[x]/"}) {
        if (resolve_include_url(url, page).ok()) print_error("accepted: %s\n", url);
        assert_false(resolve_include_url(url, page).ok());
    }
    for (const char* url :
         {"http://evil.example/", "//127.0.0.1/", "http://[::1]:6379/", "http://169.254.169.254/latest",
          "http://www.example.evil/", "https://www.example:8443/"}) {
        assert_true(refusal(url) == UrlRefusal::foreign_host);
    }
}

TEST(what_a_decoded_page_path_holds_is_escaped) {
    assert_text_equal(resolve_include_url("next", {"https", "www.example", "/a b/c?d"}).target, "/a%20b/next");
    assert_text_equal(resolve_include_url("?q", {"https", "www.example", "/a b"}).target, "/a%20b?q");
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
