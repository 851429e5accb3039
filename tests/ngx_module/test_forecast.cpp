// The forecast: how fast it learns, how seldom it is wrong, and what it leaves alone.
#include "ngx_module/near/forecast.hpp"

#include <functional>
#include <memory>
#include <string>

#include "tests/cmocka.hpp"

using namespace larder;
using namespace larder::near_cache;

namespace {

// A site that decides for each page whether it can be stored, and its visitors.
struct Site {
    std::unique_ptr<Forecast> forecast = std::make_unique<Forecast>();
    std::function<bool(const std::string&)> keeps;              // the answer to the reduced request is storable
    std::function<bool(const std::string&)> looks_so = nullptr;  // the full answer looks storable; not set: as `keeps`
    int renders = 0, kept = 0;

    // A visitor asks for a page that is not in the cache.
    void ask(const std::string& url) {
        auto question = std::min(url.find('?'), url.size());
        std::string path = url.substr(0, question), query = url.substr(std::min(question + 1, url.size()));
        Kinds kinds = kinds_of("example.org", path, query, "/");
        Key key = key_of(url);
        renders++;
        if (forecast->passes(kinds, key))
            return forecast->learn_from_full(kinds, key, looks_so ? looks_so(url) : keeps(url));
        bool storable = keeps(url);
        forecast->learn(kinds, storable);
        kept += storable;
        renders += !storable;  // once more, in full
    }
};

Site never() {
    Site site;
    site.keeps = [](const std::string&) { return false; };
    return site;
}

std::string numbered(const char* before, int i, const char* after = "") {
    return before + std::to_string(i) + after;
}

}  // namespace

TEST(what_is_never_storable_costs_one_render) {
    const std::pair<const char*, const char*> urls[] = {
        {"/search?q=", ""}, {"/orders/", ""}, {"/orders/", "/"}, {"/users/", "/profile"}, {"/page", "/a/b/c"}};
    for (const auto& [before, after] : urls) {
        Site site = never();
        for (int i = 0; i < 200; i++) site.ask(numbered(before, i, after));
        assert_in_range(site.renders, 200, 204);
        for (int i = 200; i < 10'000; i++) site.ask(numbered(before, i, after));
        assert_in_range(site.renders, 10'000, 10'015);
    }
}

TEST(searches_are_learned_at_once) {
    Site site = never();
    for (int i = 0; i < 60; i++) site.ask(numbered("/search?q=word", i));
    assert_int_equal(site.renders, 61);
}

TEST(what_can_be_kept_is_kept_from_the_first) {
    Site site;
    site.keeps = [](const std::string&) { return true; };
    for (int i = 0; i < 1000; i++) site.ask(numbered("/page/", i));
    assert_int_equal(site.kept, 1000);
    assert_int_equal(site.renders, 1000);
}

TEST(searches_do_not_spoil_the_pages_beside_them) {
    Site site;
    site.keeps = [](const std::string& url) { return url.find('?') == std::string::npos; };
    for (int i = 0; i < 1000; i++) {
        site.ask(numbered("/search?q=", i));
        site.ask(numbered("/", i));
    }
    assert_in_range(site.kept, 995, 1000);
    assert_in_range(site.renders, 2000, 2010);
}

TEST(a_mostly_storable_directory_is_mostly_tried) {
    Site site;
    site.keeps = [](const std::string& url) { return url.back() != '7'; };  // nine of ten
    for (int i = 0; i < 1000; i++) site.ask(numbered("/page/", i));
    assert_in_range(site.kept, 850, 900);
}

TEST(a_page_that_looks_storable_is_tried_when_it_is_asked_for_again) {
    Site site = never();
    for (int i = 0; i < 10; i++) site.ask(numbered("/mixed/", i));
    site.keeps = [](const std::string& url) { return url == "/mixed/good"; };
    site.ask("/mixed/good");
    assert_int_equal(site.kept, 0);
    site.ask("/mixed/good");
    assert_int_equal(site.kept, 1);
}

TEST(a_kind_that_can_be_kept_again_is_found_out) {
    Site site = never();
    for (int i = 0; i < 1000; i++) site.ask(numbered("/search?q=", i));
    site.keeps = [](const std::string&) { return true; };
    int asked = 0;
    for (; site.kept < 10 && asked < 1000; asked++) site.ask(numbered("/search?q=again", asked));
    assert_in_range(asked, 10, 60);
}

// For example a cookie that only new visitors get: for those who have it the full answer looks storable, but the
// reduced one never is.
TEST(what_only_looks_storable_is_tried_ever_more_seldom) {
    Site site = never();
    site.looks_so = [](const std::string&) { return true; };
    for (int i = 0; i < 10'000; i++) site.ask(numbered("/page?id=", i));
    assert_in_range(site.renders, 10'000, 10'100);
    for (int i = 0; i < 10'000; i++) site.ask(numbered("/page?id=", i % 10));
    assert_in_range(site.renders, 20'000, 20'200);
}

// Each page is a kind of its own, and there are more of them than slots.
TEST(many_pages_make_no_directory_forgotten) {
    Site site;
    site.keeps = [](const std::string& url) { return url.starts_with("/page/"); };
    for (int i = 0; i < 20; i++) site.ask(numbered("/page/", i));
    for (int i = 0; i < 200; i++) {
        for (int d = 0; d < 8; d++) site.ask(numbered(numbered("/list", d, "/").c_str(), i));
    }
    for (int i = 0; i < 20'000; i++) site.forecast->learn(kinds_of("example.org", numbered("/other/", i), "", "/elsewhere"), false);
    site.kept = 0;
    for (int i = 100; i < 200; i++) site.ask(numbered("/page/", i));
    assert_int_equal(site.kept, 100);
}

TEST(hosts_and_locations_are_apart) {
    auto forecast = std::make_unique<Forecast>();
    Key key = key_of("x");
    for (int i = 0; i < 100; i++) forecast->learn(kinds_of("a", "/x", "", "/"), false);
    assert_true(forecast->passes(kinds_of("a", "/x", "", "/"), key));
    assert_false(forecast->passes(kinds_of("b", "/x", "", "/"), key));
    assert_false(forecast->passes(kinds_of("a", "/x", "", "/api/"), key));
    assert_true(forecast->passes(kinds_of("a", "/x", "", "/"), key));
}

TEST_MAIN("forecast")
