// Compiling: every element, every error, and documents in chunks of any size.
#include "edge_includes/compile.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

#include "tests/cmocka.hpp"
#include "tests/edge_includes/host.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

std::vector<Report> reports(std::string_view document) {
    return compile(document, options()).reports;
}
std::string first_report(std::string_view document) {
    auto all = reports(document);
    return all.empty() ? "" : all[0].text;
}
bool untouched(std::string_view document) {
    return render(document) == document;
}

std::vector<std::string> corpus() {
    std::vector<std::string> out;
    for (const auto& file : std::filesystem::directory_iterator(ESI_CORPUS "/pages")) {
        std::stringstream text;
        text << std::ifstream(file.path()).rdbuf();
        out.push_back(text.str());
    }
    if (out.size() < 7) fail_msg("only %zu pages in %s", out.size(), ESI_CORPUS "/pages");
    return out;
}

CompileResult compile_in_chunks(std::string_view document, std::size_t first, std::size_t rest) {
    Compiler compiler(options());
    compiler.feed(document.substr(0, first));
    for (std::size_t at = first; at < document.size(); at += rest) compiler.feed(document.substr(at, rest));
    return compiler.finish();
}

bool same(const CompileResult& a, const CompileResult& b) {
    auto same_report = [](const Report& x, const Report& y) {
        return x.offset == y.offset && x.line == y.line && x.text == y.text;
    };
    return a.plan == b.plan && a.has_esi == b.has_esi &&
           std::equal(a.reports.begin(), a.reports.end(), b.reports.begin(), b.reports.end(), same_report);
}

}  // namespace

TEST(a_page_without_esi_has_no_plan) {
    for (const char* page : {"", "plain", "<html><!-- c --><script>if (a <!--b) $(x)</script></html>", "<esi",
                             "<!--", "-->", "$(HTTP_HOST)"}) {
        CompileResult result = compile(page, options());
        assert_false(result.has_esi);
        assert_text_equal(result.plan, "");
        assert_int_equal(result.reports.size(), 0);
    }
}

TEST(counts_tell_what_is_in_the_plan) {
    CompileResult result = compile(
        "a<esi:include src='/a'/>b<esi:include src='/b'/><esi:inline name='/i'>x</esi:inline>", options());
    assert_int_equal(result.includes, 2);
    assert_int_equal(result.inlines, 1);
    assert_int_equal(result.ops, 4);
}

TEST(any_cut_gives_the_same_plan) {
    for (const std::string& page : corpus()) {
        CompileResult whole = compile(page, options());
        for (std::size_t cut = 0; cut <= page.size(); ++cut)
            assert_true(same(whole, compile_in_chunks(page, cut, page.size() + 1)));
        for (std::size_t chunk = 1; chunk < 9; ++chunk)
            assert_true(same(whole, compile_in_chunks(page, 0, chunk)));
    }
}

TEST(pages_of_the_corpus_render_as_recorded) {
    for (const auto& file : std::filesystem::directory_iterator(ESI_CORPUS "/pages")) {
        std::stringstream page, expected;
        page << std::ifstream(file.path()).rdbuf();
        expected
            << std::ifstream(std::string(ESI_CORPUS "/rendered/") + file.path().filename().string()).rdbuf();
        Request request;
        request.cookies["name"] = "<b>Ann</b>";
        request.query = "q=%3Cesi:include%20src=%22/secret%22/%3E&n=7&inject=$(HTTP_COOKIE{sessionid})";
        request.headers["accept-language"] = "de, en;q=0.5";
        request.headers["user-agent"] =
            "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/118.0";
        request.headers["cookie"] = "sessionid=top-secret";
        Fragments fragments{
            {"/nav", "NAV"}, {"/user?name=%3Cb%3EAnn%3C%2Fb%3E", "USER"}, {"/a", "A"},
            {"/b", "B"},     {"/evil", "<esi:include src=\"/secret\"/>"}, {"/secret", "SECRET"},
            {"/down", 503}};
        assert_text_equal(render(page.str(), request, fragments), expected.str());
    }
}

TEST(tags_that_do_not_end_stay) {
    assert_true(untouched("a<esi:include src='/a"));
    assert_true(untouched("a<esi:include <b>bold</b>"));
    assert_text_equal(render("a<esi:include src='/x><esi:include src='/a'/>", {{"/a", "A"}}),
                      "a<esi:include src='/x>A");
    assert_true(
        first_report("<esi:include src='/a").starts_with("the tag '<esi:include src='/a' does not end"));
}

TEST(elements_that_are_not_closed_stay_and_their_content_counts) {
    for (const char* tag : {"<esi:remove>", "<esi:vars>", "<esi:text>", "<!--esi ", "<esi:choose>",
                            "<esi:try>", "<esi:inline name='/f'>", "<esi:foreach collection='[1..2]'>",
                            "<esi:assign name='x'>", "<esi:comment>"}) {
        std::string page = "a" + std::string(tag) + "b<esi:include src='/a'/>c";
        assert_text_equal(render(page, {{"/a", "A"}}), "a" + std::string(tag) + "bAc");
        assert_true(first_report(page).find("it is not closed") != std::string::npos);
    }
    assert_true(untouched("<!-- a <b>"));
    assert_text_equal(render("<!-- a <esi:include src='/a'/>", {{"/a", "A"}}), "<!-- a A");
}

TEST(an_include_without_a_slash_is_an_include) {
    assert_text_equal(render("a<esi:include src='/a'>b", {{"/a", "A"}}), "aAb");
    std::string many;
    for (int i = 0; i < 100; ++i) many += "<esi:include src='/a'>.";
    std::string expected;
    for (int i = 0; i < 100; ++i) expected += "A.";
    assert_text_equal(render(many, {{"/a", "A"}}), expected);
}

TEST(unclosed_elements_end_where_those_around_them_end) {
    assert_text_equal(render("<esi:remove>x<esi:vars>y</esi:remove>z"), "z");
    assert_text_equal(render("<!--esi <esi:vars>$(HTTP_HOST)-->z"), " <esi:vars>$(HTTP_HOST)z");
    assert_text_equal(render("<esi:vars><esi:vars>$(HTTP_HOST)</esi:vars>$(HTTP_HOST)"),
                      "<esi:vars>www.example$(HTTP_HOST)");
}

TEST(closing_tags_without_an_opening_stay) {
    assert_true(untouched("a</esi:vars>b</esi:nope></esi:>"));
    assert_text_equal(first_report("a</esi:vars>"), "</esi:vars> closes nothing");
    assert_text_equal(render("<esi:vars>a</esi:choose>$(HTTP_HOST)</esi:vars>"), "a</esi:choose>www.example");
}

TEST(unknown_elements_stay_with_their_content_counting) {
    assert_text_equal(render("<esi:nope a='b'><esi:include src='/a'/></esi:nope>", {{"/a", "A"}}),
                      "<esi:nope a='b'>A</esi:nope>");
    assert_text_equal(first_report("<esi:nope/>"), "<esi:nope> stays as text: no such element");
}

TEST(rejected_elements_keep_their_own_closing_tag) {
    assert_text_equal(render("<esi:foreach collection='[1..2]'>a<esi:foreach>b</esi:foreach>c</esi:foreach>"),
                      "a<esi:foreach>b</esi:foreach>ca<esi:foreach>b</esi:foreach>c");
    assert_text_equal(render("<esi:foreach>a<esi:foreach collection='[1..2]'>b</esi:foreach>c</esi:foreach>"),
                      "<esi:foreach>abbc</esi:foreach>");
}

TEST(what_an_element_needs_is_named) {
    struct Case {
        const char* page;
        const char* report;
    };
    for (const Case& test : {
             Case{"<esi:when test='1'>x</esi:when>",
                  "<esi:when> stays as text: it may only stand directly inside <esi:choose>"},
             Case{"<esi:otherwise/>",
                  "<esi:otherwise> stays as text: it may only stand directly inside <esi:choose>"},
             Case{"<esi:attempt/>",
                  "<esi:attempt> stays as text: it may only stand directly inside <esi:try>"},
             Case{"<esi:except/>", "<esi:except> stays as text: it may only stand directly inside <esi:try>"},
             Case{"<esi:choose></esi:choose>", "<esi:choose> stays as text: it has neither <esi:when> nor <esi:otherwise>"},
             Case{"<esi:try><esi:except>x</esi:except></esi:try>",
                  "<esi:try> stays as text: it needs an <esi:attempt>"},
             Case{"<esi:assign value='1'/>", "<esi:assign> stays as text: it needs name=\"variable\""},
             Case{"<esi:assign name='x'/>", "<esi:assign> stays as text: it needs a value"},
             Case{"<esi:assign name='a b' value='1'/>",
                  "<esi:assign> stays as text: 'a b' is no name: letters, digits and _, at most 64"},
             Case{"<esi:assign name='HTTP_HOST' value='1'/>",
                  "<esi:assign> stays as text: 'HTTP_HOST' is the request's"},
             Case{"<esi:assign name='x'>((</esi:assign>",
                  "<esi:assign> stays as text: a value expected: $(NAME), $function(...), 'text', a number, "
                  "a list or parentheses at byte 2 of the expression"},
             Case{"<esi:foreach>x</esi:foreach>",
                  "<esi:foreach> stays as text: it needs collection=\"expression\""},
             Case{"<esi:break/>", "<esi:break> stays as text: it may only stand inside <esi:foreach>"},
             Case{"<esi:inline>x</esi:inline>", "<esi:inline> stays as text: it needs name=\"URL\""},
             Case{"<esi:inline name='/a' fetchable='perhaps'>x</esi:inline>",
                  "<esi:inline> stays as text: fetchable: yes or no expected"},
         }) {
        assert_text_equal(first_report(test.page), test.report);
        assert_text_equal(render(test.page), test.page);
    }
    assert_text_equal(first_report("<esi:try><esi:attempt/><esi:except code='x'/></esi:try>"),
                      "<esi:except> stays as text: code: a status (404) or a class of them (5xx) expected");
}

// As in other ESI processors: docs/esi.md, "Beside other processors".
TEST(markup_that_others_accept_is_accepted) {
    Fragments fragments{{"/a", "A"}, {"/b", "B"}, {"/x/y", "XY"}};
    struct Case {
        const char* page;
        const char* shown;
    };
    for (const Case& test : {
             Case{"<!--esi<esi:include src='/a'/>-->", "A"},
             Case{"<!--esix<esi:vars>$(HTTP_HOST)</esi:vars>-->", "xwww.example"},
             Case{"<esi:include src=/a />|<esi:include src=/x/y onerror=continue></esi:include>", "A|XY"},
             Case{"<esi:include src=/a/>", "A"},
             Case{"<esi:include src='/a' src='/b'/>", "A"},
             Case{"[<esi:include/>]", "[]"},
             Case{"[<esi:include src='' alt='/b'/>]", "[B]"},
             Case{"[<esi:include src=' ' onerror='continue'/>]", "[]"},
             Case{"[<esi:include>instead</esi:include>]", "[instead]"},
             Case{"<esi:try><esi:attempt><esi:include/></esi:attempt><esi:except>e</esi:except></esi:try>", "e"},
             Case{"<esi:try><esi:attempt><esi:include src='/a'/></esi:attempt></esi:try>", "A"},
             Case{"<esi:try><esi:attempt>x<esi:try><esi:attempt><esi:include src='/none'/></esi:attempt></esi:try>"
                  "</esi:attempt><esi:except>e</esi:except></esi:try>",
                  "e"},
             Case{"<esi:choose><esi:otherwise>o</esi:otherwise></esi:choose>", "o"},
             Case{"<esi:vars>$(HTTP_COOKIE{none}|$(HTTP_HOST))</esi:vars>", "www.example"},
             Case{"<esi:vars>$(HTTP_COOKIE{none}|$(NOPE))|$(NOPE)|$(nope)</esi:vars>", "||$(nope)"},
             Case{"<esi:choose><esi:when test=\"'$(HTTP_HOST)' == 'www.example'\">y</esi:when></esi:choose>", "y"},
             Case{"<esi:choose><esi:when test=\"'a $(HTTP_HOST) b$' has 'a www'\">y</esi:when></esi:choose>", "y"},
             Case{"<esi:choose><esi:when test=\"'''$(HTTP_HOST)''' has 'HTTP'\">y</esi:when></esi:choose>", "y"},
             Case{"<esi:choose><esi:when test=\"$(nope) == 'x'\">y</esi:when><esi:otherwise>n</esi:otherwise></esi:choose>", "n"},
         })
        assert_text_equal(render(test.page, fragments), test.shown);
    assert_text_equal(first_report("<esi:include/>"), "<esi:include> fails: it needs src=\"URL\"");
    assert_text_equal(first_report("<esi:include src='/a' src='/b'/>"),
                      "<esi:include> has attribute 'src' twice: the first one counts");
}

TEST(attributes_that_are_wrong_are_ignored_and_named) {
    for (const char* attribute : {"onerror='stop'", "no-store='perhaps'", "dca='xslt'", "late='server'",
                                  "maxwait='soon'", "ttl='-1'", "method='POST'"}) {
        std::string page = "<esi:include src='/a' " + std::string(attribute) + "/>";
        assert_text_equal(render(page, {{"/a", "A"}}), "A");
        assert_true(first_report(page).find("ignored") != std::string::npos);
    }
}

TEST(text_between_branches_is_not_shown_but_reported) {
    assert_text_equal(render("<esi:choose>\n stray <esi:when test='true'>a</esi:when>\n</esi:choose>"), "a");
    assert_text_equal(
        first_report("<esi:choose> stray <esi:when test='true'>a</esi:when> stray </esi:choose>"),
        "text directly inside <esi:choose> is not shown: put it into a branch");
    assert_int_equal(
        reports("<esi:choose> stray <esi:when test='true'>a</esi:when> stray </esi:choose>").size(), 1);
    assert_int_equal(
        reports("<esi:choose>\n<!-- note -->\n<esi:when test='true'>a</esi:when>\n</esi:choose>").size(), 0);
}

TEST(a_test_that_is_wrong_is_named) {
    assert_text_equal(first_report("<esi:choose><esi:when test='$nope()'>a</esi:when></esi:choose>"),
                      "the test '$nope()' counts as false: no function 'nope' at byte 7 of the expression");
}

TEST(foreign_dollars_stay) {
    std::string_view jquery =
        "<esi:vars>$('#a').hide(); $(document).ready(function () { $.ajax(x); }); $5 $</esi:vars>";
    assert_text_equal(render(jquery), "$('#a').hide(); $(document).ready(function () { $.ajax(x); }); $5 $");
    assert_text_equal(render("<esi:vars>$(x)<esi:assign name='x' value='1'/>$(x)</esi:vars>"), "$(x)1");
}

TEST(reports_say_where) {
    auto all = reports("one\ntwo <esi:nope/>\n\n  </esi:vars>");
    assert_int_equal(all.size(), 2);
    assert_int_equal(all[0].line, 2);
    assert_int_equal(all[0].offset, 8);
    assert_int_equal(all[1].line, 4);
    assert_int_equal(all[1].offset, 23);
    assert_int_equal(reports("\n<esi:remove>\n\nx")[0].line, 2);
}

TEST(reports_are_bounded_and_printable) {
    std::string page;
    for (int i = 0; i < 100; ++i) page += "<esi:n\x01\xff/>";
    CompileResult result = compile(page, options());
    assert_int_equal(result.reports.size(), 32);
    assert_int_equal(result.reports_dropped, 68);
    for (const Report& report : result.reports) {
        for (char c : report.text) assert_true(c >= 0x20 && c < 0x7f);
    }
}

TEST(removed_markup_is_not_reported) {
    assert_int_equal(reports("<!-- <esi:nope/> --><esi:remove><esi:nope/></esi:remove>").size(), 0);
}

TEST(markup_is_found_wherever_it_stands) {
    Fragments fragments{{"/a", "A"}};
    assert_text_equal(render("<a href=\"<esi:include src='/a'/>\">", fragments), "<a href=\"A\">");
    assert_text_equal(render("<script>var a = '<esi:include src=\"/a\"/>';</script>", fragments),
                      "<script>var a = 'A';</script>");
    assert_text_equal(render("{\"html\": \"<esi:include src='/a'/>\"}", fragments), "{\"html\": \"A\"}");
    assert_text_equal(render("<![CDATA[<esi:include src='/a'/>]]>", fragments), "<![CDATA[A]]>");
    assert_text_equal(render("<script><!--\n<esi:include src='/a'/>\n//--></script>", fragments),
                      "<script><!--\nA\n//--></script>");
}

TEST(limits_leave_markup_as_text) {
    CompileOptions few = options();
    few.limits.includes = 1;
    Request request;
    Fragments fragments{{"/a", "A"}};
    assert_text_equal(render("<esi:include src='/a'/><esi:include src='/a'/>", request, fragments, few),
                      "A<esi:include src='/a'/>");
    few = options();
    few.limits.depth = 2;
    assert_text_equal(render("<esi:vars><esi:vars><esi:vars>$(HTTP_HOST)</esi:vars></esi:vars></esi:vars>",
                             request, {}, few),
                      "<esi:vars>www.example</esi:vars>");
    few = options();
    few.limits.ops = 2;
    assert_text_equal(
        render("<esi:vars>$(HTTP_HOST)$(HTTP_HOST)</esi:vars><esi:remove>x</esi:remove>", request, {}, few),
        "www.example$(HTTP_HOST)<esi:remove>x</esi:remove>");
    few = options();
    few.limits.tag_bytes = 20;
    assert_text_equal(render("<esi:include src='/aaaaaaaaaaaaaaa'/>", request, {}, few),
                      "<esi:include src='/aaaaaaaaaaaaaaa'/>");
}

TEST(a_document_past_its_limit_has_no_plan) {
    CompileOptions small = options();
    small.limits.document_bytes = 10;
    Compiler compiler(small);
    assert_true(compiler.feed("0123456789"));
    assert_false(compiler.feed("<esi:remove/>"));
    CompileResult result = compiler.finish();
    assert_true(result.too_large);
    assert_false(result.has_esi);
}

namespace {

std::uint64_t work_of(const std::string& document) {
    StepwiseCompiler compiler(document, options());
    std::uint64_t work = 0;
    while (!compiler.done()) work += compiler.step();
    return work;
}

}  // namespace

// The counted work is proportional to the size of the document, with a small factor.
TEST(time_is_linear_in_hostile_documents) {
    for (const char* prefix : {"", "<esi:vars>", "<!--esi ", "<esi:vars><!--esi ", "<esi:vars><!-- ", "<script>", "<esi:try>"}) {
        for (const char* unit :
             {"<", "<esi:", "</esi:", "<esi:a \"", "<esi:include src='/a'>", "<esi:include src='/a'/>", "<esi:include src=\"",
              "<esi:include src='\"", "</esi:vars>", "<esi:choose>", "<esi:choose><esi:when test=\"1\">",
              "<esi:choose><esi:when test='1'></esi:when></esi:choose>", "<esi:try><esi:attempt>", "</esi:try>",
              "<!--", "<!--esi", "<!--esi -->", "<!-- --", "$($($(", "$(A{", "$lower(", "$('", "$('\\", "$(HTTP_HOST)",
              "$(HTTP_HOST|$(HTTP_HOST|'", "<esi:vars>$($(", "<esi:vars>", "<esi:vars name='$(HTTP_HOST)'/>",
              "<esi:foreach>", "<esi:foreach collection='[1..2]'>", "<esi:break/>", "-->", "-", "--",
              "<esi:assign name='x'>", "<esi:assign name='x' value='1'/>", "<script", "<script>", "</script>",
              "<esi:inline name='/a'>", "<esi:inline name='/a'></esi:inline>", "<esi:remove>", "<esi:text>",
              "<esi:comment text='a'/>", "<esi:nope>", "<esi:nope/>", "<![CDATA[", "<esi:a b='1' c='2' d='3' e='4'/>",
              "&amp;", "\n", "plain text "}) {
            std::string once = prefix, twice = prefix;
            while (once.size() < 100'000) once += unit;
            while (twice.size() < 200'000) twice += unit;
            std::uint64_t work = work_of(once);
            assert_true(work <= once.size() * 5 / 2);
            assert_true(work_of(twice) <= 2 * work + work / 10 + 100);
        }
    }
}

TEST(a_document_that_takes_too_much_work_is_text_from_there_on) {
    CompileOptions chosen = options();
    chosen.limits.work = compile_work(1 << 20);
    std::string begin = "<esi:remove>x</esi:remove>", end = "<esi:remove>y</esi:remove>";
    for (const char* unit : {"<esi:a \"", "$('", "<esi:include a='1' b='2' src='/a'>", "<esi:vars>$(HTTP_HOST)</esi:vars>", "<!--", "\n"}) {
        std::string document = begin + "<esi:vars>";
        while (document.size() < 1'000'000) document += unit;
        document += "</esi:vars>" + end;
        Compiler compiler(chosen);
        compiler.feed(document);
        assert_true(compiler.work() < chosen.limits.work + 20'000);
        bool stopped = compiler.work() > chosen.limits.work;
        CompileResult result = compiler.finish();
        Request request;
        Page page(document, PlanView::trusted(result.plan), request);
        assert_false(page.output.starts_with(begin));
        assert_int_equal(page.output.ends_with(end), stopped);
    }
}

TEST(a_large_page_as_they_are_takes_little_work) {
    std::string document;
    for (int i = 0; i < 256; ++i)
        document += std::string(4000, 'x') + "<esi:include src=\"/some/fragment?number=" + std::to_string(i) +
                    "\" onerror=\"continue\"/><esi:vars>$(HTTP_HOST) $(QUERY_STRING{a}|'b')</esi:vars>";
    Compiler compiler;
    compiler.feed(document);
    assert_true(compiler.work() < compile_work(document.size()) / 2);
}

TEST(a_document_is_compiled_bit_by_bit) {
    std::string page;
    while (page.size() < 500'000) page += "<esi:vars>$(HTTP_HOST)</esi:vars> and text";
    StepwiseCompiler compiler(page, options());
    std::uint64_t most = 0;
    while (!compiler.done()) most = std::max(most, compiler.step());
    assert_true(most < 20'000);
    assert_true(compiler.result().plan == compile(page, options()).plan);
}

// Hosts trust a plan of the compiler.
TEST(each_plan_is_one_that_its_check_accepts) {
    const char* reason = nullptr;
    constexpr std::string_view unclosed = "<esi:try><esi:attempt></esi:try>";
    assert_true(PlanView::parse(compile(unclosed, options()).plan, unclosed.size(), &reason).has_value() ||
                compile(unclosed, options()).plan.empty());
    constexpr const char* pieces[] = {
        "<esi:try>", "</esi:try>", "<esi:attempt>", "</esi:attempt>", "<esi:except code='404'>", "</esi:except>",
        "<esi:choose>", "</esi:choose>", "<esi:when test='1'>", "</esi:when>", "<esi:otherwise>", "</esi:otherwise>",
        "<esi:foreach collection='[1..2]'>", "</esi:foreach>", "<esi:break/>", "<esi:vars>", "</esi:vars>", "$(HTTP_HOST)",
        "<esi:include src='/a'>", "</esi:include>", "<esi:include src='/b'/>", "<esi:inline name='/c'>", "</esi:inline>",
        "<esi:remove>", "</esi:remove>", "<!--esi ", "-->", "<esi:assign name='v'>", "</esi:assign>", "text"};
    std::mt19937 random(7);
    for (int round = 0; round < 40'000; ++round) {
        std::string document;
        for (std::size_t left = 1 + random() % 14; left > 0; --left) document += pieces[random() % std::size(pieces)];
        std::string plan = compile(document, options()).plan;
        if (plan.empty() || PlanView::parse(plan, document.size(), &reason)) continue;
        print_error("%s: %s\n", reason, document.c_str());
        assert_true(false);
    }
}

TEST_MAIN("compile")
