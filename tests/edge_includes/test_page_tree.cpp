// Pages of several documents: fetches, output and limits.
#include "edge_includes/page_tree.hpp"

#include <random>

#include "tests/cmocka.hpp"
#include "tests/edge_includes/host.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

// Compiled fragments, as in a cache.
struct Site {
    struct Page {
        std::string body, plan;
        std::uint16_t status = 200;
    };
    std::map<std::string, Page, std::less<>> pages;

    void add(const std::string& path, std::string body) {
        CompileOptions chosen = options();
        chosen.limits.includes = 4096;
        std::string plan = compile(body, chosen).plan;
        pages[path] = {std::move(body), std::move(plan)};
    }
    void add_uncompiled(const std::string& path, std::string body) { pages[path] = {std::move(body), {}}; }
    void add_failing(const std::string& path, std::uint16_t status) { pages[path] = {{}, {}, status}; }
};

struct Made : PageHost {
    Made(const Site& the_site, const std::string& path, PageLimits limits = {}, std::uint64_t slice = UINT64_MAX,
         std::uint32_t seed = 0)
        : site(the_site), random(seed) {
        const Site::Page& page = site.pages.find(path)->second;
        PageTree tree(page.body, page.plan, path, request, *this, limits, options());
        PageTree::Reader reader(tree);
        for (bool ended = false; !ended;) {
            ++turns;
            tree.budget().begin_slice(slice);
            std::uint64_t before = tree.budget().work_left();
            bool more = !tree.run();
            PageTree::Output out;
            while ((out = reader.next()).kind == PageTree::Output::Kind::text) output += out.text;
            if (!tree.budget().out_of_work()) most_in_a_turn = std::max(most_in_a_turn, before - tree.budget().work_left());
            ended = out.kind == PageTree::Output::Kind::end;
            if (ended || more || out.kind == PageTree::Output::Kind::pause) continue;
            if (pending.empty()) {
                stuck = true;
                break;
            }
            std::size_t at = random() % pending.size();
            FetchId id = pending[at].first;
            std::string_view target = pending[at].second;
            pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(at));
            auto found = site.pages.find(target.substr(0, target.find('?')));
            if (found == site.pages.end())
                tree.failed(id, 404);
            else if (found->second.status != 200)
                tree.failed(id, found->second.status);
            else
                tree.arrived(id, found->second.body, found->second.plan, target);
        }
        cut = tree.cut();
        memory = tree.budget().memory().used();
        exceeded = tree.budget().exceeded();
    }

    const char* fetch(FetchId id, std::string_view target, const IncludeAttributes&) override {
        if (target.starts_with("/nowhere")) return "no location answers it";
        fetched.emplace_back(target);
        pending.emplace_back(id, target);
        return nullptr;
    }
    void refused(std::string_view url, const char* why) override {
        last_refusal = std::string(url) + ": " + why;
        ++refusals;
        if (std::string_view(why).starts_with("more includes")) too_many = true;
    }
    void left_out() override { ++holes; }
    void uses(std::string_view plan) override {
        ++documents;
        reads |= PlanView::trusted(plan).reads();
    }
    void reported(const Report& report) override { reports.push_back(report.text); }

    const Site& site;
    std::mt19937 random;
    Request request;
    std::vector<std::pair<FetchId, std::string_view>> pending;
    std::vector<std::string> fetched, reports;
    std::string output, last_refusal;
    int refusals = 0, holes = 0, documents = 0, turns = 0;
    Reads reads = 0;
    std::uint64_t most_in_a_turn = 0;
    std::size_t memory = 0;
    Exceeded exceeded = Exceeded::nothing;
    Cut cut = Cut::no;
    bool stuck = false, too_many = false;
};

std::string include(const std::string& target) {
    return "<esi:include src=\"" + target + "\" onerror=\"continue\"/>";
}

// How far a turn may exceed its slice: the evaluation of an expression (20,000 units) can't pause.
constexpr std::uint64_t slice = 1000;
constexpr std::uint64_t most_over = 20'000 + 1000;

}  // namespace

TEST(documents_stand_inside_each_other) {
    Site site;
    site.add("/", "a" + include("/b") + "c" + include("/d") + "e");
    site.add("/b", "B");
    site.add("/d", "(" + include("/f") + ")");
    site.add("/f", "F");
    Made page(site, "/");
    assert_text_equal(page.output, "aBc(F)e");
    assert_int_equal(page.documents, 1);
}

TEST(a_page_without_markup_is_itself) {
    Site site;
    site.add("/", "plain");
    assert_text_equal(Made(site, "/").output, "plain");
}

TEST(a_fragment_is_fetched_once_for_all_places) {
    Site site;
    std::string many;
    for (int i = 0; i < 100; ++i) many += include("/f");
    site.add("/", many);
    site.add("/f", "[" + include("/g") + "]");
    site.add("/g", "g");
    Made page(site, "/");
    assert_int_equal(page.fetched.size(), 2);
    assert_int_equal(page.documents, 100);
    assert_int_equal(page.output.size(), 300);
}

TEST(what_fails_is_replaced) {
    Site site;
    site.add("/", "<esi:include src='/gone' alt='/b'/><esi:include src='/gone'>x</esi:include><esi:include "
                  "src='/nowhere' alt='/b'/><esi:include src='/nowhere'>y</esi:include><esi:include src='/gone'/>z");
    site.add("/b", "B");
    Made page(site, "/");
    assert_text_equal(page.output, "BxByz");
    assert_int_equal(page.holes, 1);
    assert_int_equal(page.refusals, 1);
    assert_text_equal(page.last_refusal, "/nowhere: no location answers it");
}

TEST(a_page_that_includes_itself_ends_at_the_depth_limit) {
    Site site;
    site.add("/", "a" + include("/") + "b");
    Made page(site, "/", {.depth = 3});
    assert_text_equal(page.output, "aaaabbbb");
    assert_int_equal(page.fetched.size(), 1);
    assert_text_equal(page.last_refusal, "/: nested deeper than larder_esi depth=");
}

TEST(the_same_fragment_at_two_depths_is_cut_off_at_each_by_itself) {
    Site site;
    site.add("/", include("/a") + "|" + include("/b"));
    site.add("/a", "a" + include("/b"));
    site.add("/b", "b" + include("/c"));
    site.add("/c", "c" + include("/d"));
    site.add("/d", "d");
    for (std::uint32_t seed = 0; seed < 50; ++seed)
        assert_text_equal(Made(site, "/", {.depth = 3}, UINT64_MAX, seed).output, "abc|bcd");
}

TEST(relative_urls_refer_to_their_document) {
    Site site;
    site.add("/", include("/x/y"));
    site.add("/x/y", include("z"));
    site.add("/x/z", "Z");
    assert_text_equal(Made(site, "/").output, "Z");
}

TEST(an_inline_part_of_the_same_document_needs_no_fetch) {
    Site site;
    site.add("/", "<esi:inline name='/p'>part " + include("/f") + "</esi:inline>" + include("/p") + include("/p"));
    site.add("/f", "F");
    Made page(site, "/");
    assert_text_equal(page.output, "part Fpart F");
    assert_int_equal(page.fetched.size(), 1);
}

TEST(a_part_of_one_document_is_not_one_of_another) {
    Site site;
    site.add("/", "<esi:inline name='/p'>part</esi:inline>" + include("/p") + include("/other"));
    site.add("/other", "<esi:inline name='/q'>x</esi:inline>" + include("/p"));
    site.add("/p", "page");
    for (std::uint32_t seed = 0; seed < 10; ++seed) assert_text_equal(Made(site, "/", {}, 1, seed).output, "partpage");
}

TEST(a_fragment_is_processed_where_that_is_asked_for) {
    Site site;
    site.add("/", include("/f") + "|<esi:eval src='/f'/>|" + include("/f") + "|<esi:include src='/f' dca='esi'/>");
    site.add_uncompiled("/f", "<esi:vars>$(HTTP_HOST)</esi:vars><esi:nope/>");
    Made page(site, "/");
    std::string raw = "<esi:vars>$(HTTP_HOST)</esi:vars><esi:nope/>", processed = "www.example<esi:nope/>";
    assert_text_equal(page.output, raw + "|" + processed + "|" + raw + "|" + processed);
    assert_int_equal(page.reports.size(), 1);
    assert_true((page.reads & reads_request) != 0);
}

TEST(nested_documents_see_the_page_s_request) {
    Site site;
    site.add("/", include("/f?x=1"));
    site.add("/f", "<esi:vars>$(REQUEST_PATH)$(QUERY_STRING)</esi:vars>");
    assert_text_equal(Made(site, "/").output, "/page");
}

// ---- limits

TEST(each_place_counts_also_of_a_fragment_that_is_here) {
    Site site;
    site.add("/", include("/f") + include("/f") + include("/g") + include("/f"));
    site.add("/f", "f");
    site.add("/g", "[" + include("/f") + include("/f") + "]");
    Made page(site, "/", {.includes = 5});
    assert_text_equal(page.output, "ff[f]f");
    assert_text_equal(page.last_refusal, "/f: more includes than larder_esi includes=");
}

TEST(more_fragments_than_allowed_fall_back) {
    Site site;
    site.add("/", "<esi:foreach collection='[1..4]' item='i'><esi:include src='/$(i)'>-</esi:include></esi:foreach>");
    for (int i = 1; i < 5; ++i) site.add("/" + std::to_string(i), std::to_string(i));
    Made page(site, "/", {.includes = 2});
    assert_text_equal(page.output, "12--");
    assert_int_equal(page.fetched.size(), 2);
}

TEST(a_page_longer_than_allowed_is_cut_there) {
    Site site;
    site.add("/", "12345" + include("/f") + "67890");
    site.add("/f", "abcde");
    Made page(site, "/", {.output = 8});
    assert_text_equal(page.output, "12345abc");
    assert_true(page.cut == Cut::output);
    assert_true(Made(site, "/", {.output = 15}).cut == Cut::no);
}

// Sixteen fragments, each of which includes all sixteen: 16^depth places.
TEST(fragments_that_include_each_other_are_bounded_by_page) {
    for (const char* text : {"", "some text"}) {
        Site site;
        std::string all;
        for (int i = 0; i < 16; ++i) all += include("/" + std::to_string(i)) + text;
        site.add("/", all);
        for (int i = 0; i < 16; ++i) site.add("/" + std::to_string(i), all);
        Made page(site, "/", {}, slice);
        assert_int_equal(page.fetched.size(), 16);
        assert_int_equal(page.documents, 256);
        assert_true(page.memory < 2u << 20);
        assert_true(page.most_in_a_turn <= slice + most_over);
        assert_false(page.stuck);
        assert_true(page.cut == Cut::no);
        assert_text_equal(page.last_refusal.substr(page.last_refusal.find(' ')), " more includes than larder_esi includes=");
    }
}

TEST(memory_is_of_the_page) {
    Site site;
    std::string all, doubling = "<esi:assign name='x' value=\"'0123456789abcdef'\"/>";
    for (int i = 0; i < 100; ++i) all += include("/f" + std::to_string(i));
    for (int i = 0; i < 14; ++i) doubling += "<esi:assign name='x' value='$(x) + $(x)'/>";
    site.add("/", all + "end");
    for (int i = 0; i < 100; ++i) site.add("/f" + std::to_string(i), doubling + "<esi:vars>$(x)</esi:vars>");
    PageLimits limits;
    limits.budget.memory = 4u << 20;
    Made page(site, "/", limits, slice);
    assert_true(page.exceeded == Exceeded::memory);
    assert_true(page.memory < 5u << 20);
}

TEST(a_page_without_memory_shows_what_it_has) {
    Site site;
    std::string body = "begin<esi:vars>";
    for (int i = 0; i < 8'000; ++i) body += "xxx$(HTTP_HOST)";
    site.add("/", body + "</esi:vars>end");
    PageLimits limits;
    limits.budget.memory = 1u << 18;
    Made page(site, "/", limits, slice);
    assert_true(page.cut == Cut::memory);
    assert_true(page.output.starts_with("beginxxx"));
    assert_true(page.memory < 1u << 20);
}

TEST(documents_that_nobody_compiled_cost_the_page_work) {
    Site site;
    std::string all, hostile;
    for (int i = 0; i < 100; ++i) all += "<esi:include src='/f" + std::to_string(i) + "' dca='esi'>-</esi:include>";
    while (hostile.size() < 200'000) hostile += "<esi:vars>$('$lower(";
    site.add("/", all);
    for (int i = 0; i < 100; ++i) site.add_uncompiled("/f" + std::to_string(i), hostile);
    Made page(site, "/", {}, slice);
    assert_true(page.exceeded == Exceeded::work);
    assert_true(page.output.ends_with("---"));
    assert_true(page.most_in_a_turn <= slice + most_over);
}

// Random pages: all of them end within the limits, and the result is the same with and without slices.
TEST(random_pages_end_within_their_limits) {
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        std::minstd_rand random(seed + 1);
        auto count = static_cast<unsigned>(1 + random() % 12);
        Site site;
        auto target = [&] { return "/" + std::to_string(random() % (count + 1)); };  // one of the targets doesn't exist
        for (unsigned i = 0; i < count; ++i) {
            std::string body;
            for (auto n = random() % 8; n > 0; --n) {
                std::string to = target();
                switch (random() % 8) {
                    case 0:
                        body += "<esi:include src='" + to + "' alt='" + target() + "'/>";
                        break;
                    case 1:
                        body += "<esi:include src='" + to + "'>f<esi:include src='" + target() + "'/></esi:include>";
                        break;
                    case 2:
                        body += "<esi:try><esi:attempt>" + include(to) + "<esi:include src='" + target() +
                                "'/></esi:attempt><esi:except>e<esi:include src='" + target() +
                                "'/></esi:except></esi:try>";
                        break;
                    case 3:
                        body += "<esi:foreach collection='[1..30]' item='i'>" + include(to + "?$(i)") + "</esi:foreach>";
                        break;
                    case 4:
                        body += "<esi:inline name='" + to + "'>i" + include(target()) + "</esi:inline>";
                        break;
                    case 5:
                        body += "<esi:eval src='" + to + "'/>";
                        break;
                    default:
                        body += "t" + include(to);
                }
            }
            if (random() % 4 == 0)
                site.add_uncompiled("/" + std::to_string(i), body);
            else
                site.add("/" + std::to_string(i), body);
        }
        PageLimits limits;
        limits.depth = static_cast<unsigned>(1 + random() % 6);
        limits.includes = static_cast<std::uint32_t>(1 + random() % 60);
        limits.output = 100'000;
        limits.budget.work = 200'000;
        limits.budget.memory = 8u << 20;
        Made whole(site, "/0", limits, UINT64_MAX, seed);
        Made sliced(site, "/0", limits, slice, seed + 1);
        for (const Made* page : {&whole, &sliced}) {
            assert_false(page->stuck);
            assert_true(page->fetched.size() <= limits.includes);
            assert_true(page->output.size() <= limits.output);
            assert_true(page->memory <= limits.budget.memory + (1u << 20));
        }
        assert_true(sliced.most_in_a_turn <= slice + most_over);
        bool complete = whole.exceeded == Exceeded::nothing && sliced.exceeded == Exceeded::nothing &&
                        whole.cut == Cut::no && !whole.too_many && !sliced.too_many;
        if (complete) assert_text_equal(sliced.output, whole.output);
    }
}

TEST_MAIN("page_tree")
