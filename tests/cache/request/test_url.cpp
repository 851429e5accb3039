// One form for all spellings of a URL that mean the same, and for no others.
#include "cache/request/url.hpp"

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

TEST_MAIN("url")
