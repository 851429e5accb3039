// The paths of prerendered files, and which pages can't have one.
#include "daemon/prerender/file_path.hpp"

#include "tests/cmocka.hpp"

using namespace larder::daemon;

namespace {

std::string below(std::string_view path, std::string_view query = "") {
    const char* why = nullptr;
    auto directories = file_directories(path, query, &why);
    if (!directories) return std::string("! ") + why;
    std::string out;
    for (const std::string& name : *directories) out += name + "/";
    return out;
}

}  // namespace

TEST(a_path_is_a_list_of_directories) {
    assert_text_equal(below("/"), "");
    assert_text_equal(below("/news"), "news/");
    assert_text_equal(below("/news/"), "news/");
    assert_text_equal(below("/news/2024/page.html"), "news/2024/page.html/");
    assert_text_equal(below("/news/index.html"), "! that is the name of the files themselves");
    assert_text_equal(below("/caf%C3%a9/a%20b+c"), "caf\xc3\xa9/a b+c/");
}

TEST(no_path_leads_out_or_shares_a_file) {
    for (const char* path : {"/..", "/../etc", "/a/../b", "/%2e%2e/", "/%2E./x", "/.", "/a/./b"})
        assert_text_equal(below(path), "! the path has a dot segment");
    for (const char* path : {"//", "/a//b", "//a"})
        assert_text_equal(below(path), "! the path has an empty segment");
    assert_text_equal(below("/a%2fb"), "! the path has an encoded slash");
    assert_text_equal(below("/a%00b"), "! the path has a control character");
    assert_text_equal(below("/a%0ab"), "! the path has a control character");
    for (const char* path : {"/%", "/%4", "/%zz"})
        assert_text_equal(below(path), "! the path has a malformed percent-encoding");
    assert_text_equal(below("/" + std::string(201, 'x')), "! a segment of the path is longer than 200 bytes");
    assert_text_equal(below("relative"), "! the path does not begin with a slash");
    assert_text_equal(below("/", "page=2"), "! a URL with a query has no file of its own");
}

TEST_MAIN("file_path")
