// Valid and malformed sitemaps.
#include "daemon/prerender/sitemap.hpp"

#include <stdexcept>

#include "daemon/prerender/file_writer.hpp"
#include "tests/cmocka.hpp"

using namespace larder::daemon;

namespace {
std::string why;
}

TEST(pages_and_nested_sitemaps_are_told_apart) {
    auto map =
        parse_sitemap(R"(<?xml version="1.0"?><urlset xmlns="s" xmlns:i="t"><url><loc> http://a/?x=1&amp;y
</loc><i:image><i:loc>http://a/image</i:loc></i:image></url><url><lastmod>2024</lastmod><loc>http://a/2</loc></url></urlset>)",
                      10, why);
    assert_int_equal(map->pages.size(), 2);
    assert_text_equal(map->pages[0], "http://a/?x=1&y");
    assert_text_equal(map->pages[1], "http://a/2");
    auto index =
        parse_sitemap("<sitemapindex><sitemap><loc>http://a/1.xml</loc></sitemap></sitemapindex>", 10, why);
    assert_int_equal(index->pages.size(), 0);
    assert_text_equal(index->sitemaps[0], "http://a/1.xml");
}

TEST(there_are_bounds) {
    std::string xml = "<urlset>";
    for (int i = 0; i < 100; i++) xml += "<url><loc>http://a/</loc></url>";
    assert_int_equal(parse_sitemap(xml + "</urlset>", 7, why)->pages.size(), 7);
    auto lengths = parse_sitemap("<urlset><url><loc>" + std::string(8193, 'x') + "</loc></url><url><loc>" +
                                     std::string(8192, 'y') + "</loc></url><url><loc>" + std::string(1'000'000, 'z') +
                                     "</loc></url></urlset>",
                                 7, why);
    assert_int_equal(lengths->pages.size(), 1);  // what is too long is left out, and not cut to another URL
    assert_true(lengths->pages[0] == std::string(8192, 'y'));
}

TEST(what_is_not_xml_is_refused_and_entities_fetch_nothing) {
    assert_false(parse_sitemap("<urlset>\n<url>", 7, why).has_value());
    assert_true(why.starts_with("line 2: "));
    assert_false(parse_sitemap("<html><p>404</html>", 7, why).has_value());
    assert_false(parse_sitemap("", 7, why).has_value());
    auto map = parse_sitemap(
        "<!DOCTYPE u [<!ENTITY e SYSTEM "
        "\"file:///etc/passwd\">]><urlset><url><loc>a&e;b</loc></url></urlset>",
        7, why);
    assert_true(!map || map->pages[0] == "ab");
}

TEST(codings_and_what_comes_before_the_document_are_undone) {
    const std::string xml = "\n <?xml version='1.0'?><urlset><url><loc>http://a/</loc></url></urlset>";
    std::string zipped = gzip(xml);
    for (const auto& [bytes, coding] : {std::pair(xml, ""),
                                        {xml, "identity"},
                                        {zipped, ""},
                                        {zipped, "gzip"},
                                        {zipped, "GZIP"},
                                        {gzip(zipped), "gzip"}}) {
        auto map = parse_sitemap(decoded_sitemap(bytes, coding, 1000), 10, why);
        assert_true(map.has_value());
        assert_text_equal(map->pages.at(0), "http://a/");
    }
    for (const auto& [bytes, coding] : {std::pair(zipped, "rot13"),
                                        {zipped.substr(0, 20), ""},
                                        {xml, "gzip"},
                                        {gzip(std::string(2000, ' ')), ""}}) {
        std::string said;
        try {
            decoded_sitemap(bytes, coding, 1000);
        } catch (const std::runtime_error& error) {
            said = error.what();
        }
        assert_true(said.starts_with("it is not "));
    }
}

TEST_MAIN("sitemap")
