// The output of each element, with fragments that arrive or fail, and at the limits.
#include "edge_includes/assembler.hpp"

#include "tests/cmocka.hpp"
#include "tests/edge_includes/host.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

struct Run {
    CompileResult compiled;
    Page page;
    Run(std::string_view document, Environment& request, const Fragments& fragments,
        Order order = Order::first_come, BudgetLimits limits = {}, std::uint64_t slice = UINT64_MAX)
        : compiled(compile(document, options())),
          page(document, PlanView::parse(compiled.plan, document.size()).value(), request, fragments, order,
               limits, slice) {}
};

std::string with_query(std::string_view document, std::string query, const Fragments& fragments = {}) {
    Request request;
    request.query = std::move(query);
    return render(document, request, fragments);
}

}  // namespace

// ---- include

TEST(an_include_is_replaced_by_its_fragment) {
    assert_text_equal(render("a<esi:include src=\"/f\"/>b", {{"/f", "F"}}), "aFb");
}

TEST(all_fetches_of_a_page_start_before_any_outcome) {
    Request request;
    Run run(
        "1<esi:include src='/a'/>2<esi:try><esi:attempt><esi:include "
        "src='/b'/></esi:attempt><esi:except>x</esi:except>"
        "</esi:try>3<esi:include src='/c'/>",
        request, {{"/a", "A"}, {"/b", "B"}, {"/c", "C"}});
    assert_int_equal(run.page.urls.size(), 3);
    assert_text_equal(run.page.before_fetches, "1");
    assert_text_equal(run.page.output, "1A2B3C");
    assert_true(run.page.done);
}

TEST(output_is_in_order_whatever_the_order_of_outcomes) {
    Request request;
    Fragments fragments{{"/a", "A"}, {"/b", "B"}, {"/c", "C"}};
    std::string_view document = "<esi:include src='/a'/>-<esi:include src='/b'/>-<esi:include src='/c'/>";
    assert_text_equal(Run(document, request, fragments, Order::first_come).page.output, "A-B-C");
    assert_text_equal(Run(document, request, fragments, Order::last_come).page.output, "A-B-C");
}

TEST(alt_is_fetched_when_src_failed) {
    assert_text_equal(render("<esi:include src='/a' alt='/b'/>", {{"/a", 500}, {"/b", "B"}}), "B");
}

TEST(onerror_continue_leaves_the_place_empty) {
    assert_text_equal(render("[<esi:include src='/a' onerror='continue'/>]", {{"/a", 500}}), "[]");
    assert_text_equal(
        render("[<esi:include src='/a' alt='/b' onerror='continue'/>]", {{"/a", 500}, {"/b", 404}}), "[]");
}

TEST(a_fallback_body_replaces_what_failed_and_may_fetch) {
    assert_text_equal(render("<esi:include src='/a'>plain</esi:include>", {{"/a", 500}}), "plain");
    assert_text_equal(render("<esi:include src='/a'>plain</esi:include>", {{"/a", "A"}}), "A");
    assert_text_equal(
        render("<esi:include src='/a' alt='/b'>[<esi:include src='/c'/>]</esi:include>", {{"/c", "C"}}),
        "[C]");
}

TEST(an_include_that_nothing_replaces_is_an_error_of_the_page) {
    Request request;
    Run run("a<esi:include src='/gone'/>b", request, {});
    assert_int_equal(run.page.page_errors, 1);
    assert_text_equal(run.page.output, "ab");
    assert_true(run.page.done);
}

TEST(attributes_of_an_include_reach_the_host) {
    Request request;
    Run run(
        "<esi:include src='/a' maxwait='250' ttl='5m' no-store='on' dca='esi' late='client' "
        "onerror='continue'/>"
        "<esi:include src='/b'/>",
        request, {});
    IncludeAttributes all{250, 300, true, true, true, true};
    assert_true(run.page.attributes[0] == all);
    assert_true(run.page.attributes[1] == IncludeAttributes{});
}

TEST(an_eval_is_an_include_that_is_processed) {
    Request request;
    Run run("<esi:eval src='/a'/><esi:eval src='/b' dca='none'>-</esi:eval><esi:include src='/a'/>", request,
            {{"/a", "A"}});
    assert_text_equal(run.page.output, "A-A");
    assert_true(run.page.attributes[0].process && run.page.attributes[1].process);
    assert_false(run.page.attributes[2].process);
}

TEST(variables_in_src_are_encoded_for_urls) {
    Request request;
    request.query = "q=a%2Fb%26c%20d";
    Run run("<esi:include src='/s?q=$(QUERY_STRING{q})&amp;x=1'/>", request, {});
    assert_text_equal(run.page.urls[0], "/s?q=a%2Fb%26c%20d&x=1");
}

TEST(the_whole_query_string_is_handed_on_behind_a_question_mark) {
    Request request;
    request.query = "a=1&b=2";
    Run run("<esi:include src='/s?$(QUERY_STRING)'/><esi:include src='/$(QUERY_STRING)'/>", request, {});
    assert_text_equal(run.page.urls[0], "/s?a=1&b=2");
    assert_text_equal(run.page.urls[1], "/a%3D1%26b%3D2");
}

// ---- remove, comment, <!--esi, text, inline

TEST(remove_and_comment_leave_nothing) {
    assert_text_equal(render("a<esi:remove>x<esi:include src='/a'/></esi:remove>b"), "ab");
    assert_text_equal(render("a<esi:comment text=\"why\"/>b<esi:comment>long</esi:comment>c"), "abc");
}

TEST(an_esi_comment_gives_its_content) {
    assert_text_equal(render("a<!--esi <esi:include src='/f'/>b-->c", {{"/f", "F"}}), "a Fbc");
    assert_text_equal(render("<!--esi a<!-- kept -->b-->"), " a<!-- kept -->b");
}

TEST(an_ordinary_comment_is_not_processed) {
    assert_text_equal(render("<esi:remove/><!-- <esi:include src='/a'/> -->"),
                      "<!-- <esi:include src='/a'/> -->");
}

TEST(text_is_not_processed) {
    assert_text_equal(render("<esi:vars><esi:text>$(HTTP_HOST)<esi:include src='/a'/></esi:text></esi:vars>"),
                      "$(HTTP_HOST)<esi:include src='/a'/>");
}

TEST(an_inline_fragment_is_not_shown_where_it_stands) {
    assert_text_equal(render("a<esi:inline name='/f' fetchable='yes'>body</esi:inline>b"), "ab");
}

// ---- vars, assign

TEST(variables_are_replaced_inside_vars_only) {
    assert_text_equal(
        render("$(HTTP_HOST)<esi:vars> $(HTTP_HOST) </esi:vars><esi:vars name='$(HTTP_HOST)'/>"),
        "$(HTTP_HOST) www.example www.example");
}

TEST(variables_are_escaped_for_where_they_stand) {
    Request request;
    request.cookies["n"] = "<b>\"O'Neil\" & \\co</b>";
    assert_text_equal(render("<esi:vars>$(HTTP_COOKIE{n})</esi:vars>", request),
                      "&lt;b&gt;&quot;O&#39;Neil&quot; &amp; \\co&lt;/b&gt;");
    assert_text_equal(
        render("<esi:vars><script>'$(HTTP_COOKIE{n})'</script>$(HTTP_COOKIE{n})</esi:vars>", request),
        "<script>'\\u003Cb\\u003E\\u0022O\\u0027Neil\\u0022 \\u0026 \\u005Cco\\u003C/b\\u003E'</script>"
        "&lt;b&gt;&quot;O&#39;Neil&quot; &amp; \\co&lt;/b&gt;");
    CompileOptions json = options();
    json.syntax = Syntax::json;
    assert_text_equal(render("<esi:vars>\"$(HTTP_COOKIE{n})\"</esi:vars>", request, {}, json),
                      "\"\\u003Cb\\u003E\\u0022O\\u0027Neil\\u0022 \\u0026 \\u005Cco\\u003C/b\\u003E\"");
    assert_text_equal(render("<esi:vars>$raw($(HTTP_COOKIE{n}))</esi:vars>", request), request.cookies["n"]);
}

TEST(what_variables_and_fragments_give_is_never_scanned) {
    Request request;
    request.query = "x=<esi:include src=\"/evil\"/>$(HTTP_COOKIE{s})";
    request.cookies["s"] = "secret";
    Fragments fragments{{"/f", "<esi:include src='/evil'/><esi:vars>$(HTTP_HOST)</esi:vars>"},
                        {"/evil", "EVIL"}};
    assert_text_equal(
        render("<esi:vars>$raw($(QUERY_STRING{x}))</esi:vars><esi:include src='/f'/>", request, fragments),
        "<esi:include src=\"/evil\"/>$(HTTP_COOKIE{s})<esi:include "
        "src='/evil'/><esi:vars>$(HTTP_HOST)</esi:vars>");
}

TEST(assign_sets_a_variable_from_there_on) {
    assert_text_equal(render("<esi:assign name='x' value='1 + 2'/><esi:vars>$(x)</esi:vars>"), "3");
    assert_text_equal(
        render("<esi:assign name='x'>'a' + 'b'</esi:assign><esi:assign name='x' value=\"$(x) + 'c'\"/>"
               "<esi:vars>$(x)</esi:vars>"),
        "abc");
}

TEST(lists_and_dictionaries_have_items) {
    assert_text_equal(
        render("<esi:assign name='l' value=\"['a', 'b', 'c']\"/><esi:assign name='d' value=\"{'k': 'v', 'n': "
               "2}\"/>"
               "<esi:vars>$(l{0})$(l{-1})$(l{9}|none) $(d{k})$(d{n})$(d{x}|none) $(l)</esi:vars>"),
        "acnone v2none [&#39;a&#39;, &#39;b&#39;, &#39;c&#39;]");
}

// ---- choose

TEST(choose_takes_the_first_true_branch_or_otherwise) {
    std::string_view document =
        "<esi:choose> <esi:when test=\"$(QUERY_STRING{a}) == '1'\">one</esi:when>"
        "<esi:when test=\"$(QUERY_STRING{a}) < "
        "5\">few</esi:when><esi:otherwise>many</esi:otherwise></esi:choose>";
    assert_text_equal(with_query(document, "a=1"), "one");
    assert_text_equal(with_query(document, "a=3"), "few");
    assert_text_equal(with_query(document, "a=30"), "many");
    assert_text_equal(
        with_query("[<esi:choose><esi:when test=\"$(QUERY_STRING{a})=='1'\">x</esi:when></esi:choose>]", ""),
        "[]");
}

TEST(an_include_in_a_branch_not_taken_is_not_fetched) {
    Request request;
    Run run(
        "<esi:choose><esi:when test='false'><esi:include src='/a'/></esi:when><esi:otherwise><esi:include "
        "src='/b'/>"
        "</esi:otherwise></esi:choose>",
        request, {{"/b", "B"}});
    assert_int_equal(run.page.urls.size(), 1);
    assert_text_equal(run.page.output, "B");
}

TEST(a_when_gives_the_groups_of_its_match) {
    std::string_view document =
        "<esi:choose><esi:when test=\"$(QUERY_STRING{a}) matches '''^(\\w)-(\\d+)$'''\" matchname='m'>"
        "<esi:vars>$(m{1})/$(m{2})</esi:vars></esi:when></esi:choose>";
    assert_text_equal(with_query(document, "a=x-42"), "x/42");
    assert_text_equal(
        with_query(
            "<esi:choose><esi:when test=\"'ab' matches '(b)'\"><esi:vars>$(MATCHES{1})</esi:vars></esi:when>"
            "</esi:choose>",
            ""),
        "b");
}

TEST(a_test_that_is_no_expression_is_false) {
    assert_text_equal(
        render("<esi:choose><esi:when test='(('>x</esi:when><esi:otherwise>o</esi:otherwise></esi:choose>"),
        "o");
}

// ---- foreach

TEST(foreach_repeats_its_body) {
    assert_text_equal(
        render("<esi:vars><esi:foreach collection=\"['a', 'b', 'c']\">($(item))</esi:foreach></esi:vars>"),
        "(a)(b)(c)");
    assert_text_equal(
        render("<esi:vars><esi:foreach collection='[1..3]' item='i'>$(i)</esi:foreach></esi:vars>"), "123");
    assert_text_equal(
        render("<esi:vars><esi:foreach collection='[3..1]' item='i'>$(i)</esi:foreach></esi:vars>"), "321");
    assert_text_equal(render("<esi:vars><esi:foreach collection=\"{'a': 1, 'b': 2}\" "
                             "item='p'>$(p{0})=$(p{1});</esi:foreach></esi:vars>"),
                      "a=1;b=2;");
    assert_text_equal(render("<esi:vars><esi:foreach collection=\"[]\">x</esi:foreach></esi:vars>"), "");
}

TEST(break_leaves_the_innermost_loop) {
    assert_text_equal(
        render(
            "<esi:vars><esi:foreach collection='[1..2]' item='i'><esi:foreach collection='[1..9]' item='j'>"
            "<esi:choose><esi:when test='$(j) == 3'><esi:break/></esi:when></esi:choose>$(i)$(j) "
            "</esi:foreach>"
            "</esi:foreach></esi:vars>"),
        "11 12 21 22 ");
}

TEST(includes_in_a_loop_are_fetched_one_by_one) {
    assert_text_equal(
        render("<esi:foreach collection='[1..3]' item='i'><esi:include src='/p/$(i)'/></esi:foreach>",
               {{"/p/1", "A"}, {"/p/2", "B"}, {"/p/3", "C"}}),
        "ABC");
}

// ---- try

constexpr std::string_view simple_try =
    "[<esi:try><esi:attempt>a<esi:include src='/a'/>b<esi:include "
    "src='/b'/></esi:attempt><esi:except>sorry</esi:except></esi:try>]";

TEST(try_shows_the_attempt_when_all_of_it_arrived) {
    assert_text_equal(render(simple_try, {{"/a", "A"}, {"/b", "B"}}), "[aAbB]");
}

TEST(try_shows_the_except_when_one_of_it_failed) {
    assert_text_equal(render(simple_try, {{"/a", "A"}, {"/b", 500}}), "[sorry]");
    assert_text_equal(render(simple_try, {{"/a", 500}, {"/b", "B"}}), "[sorry]");
}

TEST(onerror_and_alt_inside_an_attempt_do_not_fail_it) {
    assert_text_equal(render("<esi:try><esi:attempt>a<esi:include src='/a' onerror='continue'/><esi:include "
                             "src='/b' alt='/c'/>"
                             "</esi:attempt><esi:except>x</esi:except></esi:try>",
                             {{"/c", "C"}}),
                      "aC");
}

TEST(except_is_chosen_by_status) {
    std::string_view document =
        "<esi:try><esi:attempt><esi:include src='/a'/></esi:attempt><esi:except code='404'>gone</esi:except>"
        "<esi:except code='5xx'>broken</esi:except><esi:except>other</esi:except></esi:try>";
    assert_text_equal(render(document, {{"/a", 404}}), "gone");
    assert_text_equal(render(document, {{"/a", 503}}), "broken");
    assert_text_equal(render(document, {{"/a", 403}}), "other");
    assert_text_equal(render(document, {{"/a", 0}}), "other");
}

TEST(an_except_that_fails_hands_on_to_the_next) {
    assert_text_equal(render("<esi:try><esi:attempt><esi:include "
                             "src='/a'/></esi:attempt><esi:except><esi:include src='/b'/></esi:except>"
                             "<esi:except>last</esi:except></esi:try>"),
                      "last");
}

TEST(a_try_inside_an_attempt_is_part_of_it) {
    std::string_view document =
        "<esi:try><esi:attempt>1<esi:try><esi:attempt><esi:include "
        "src='/a'/></esi:attempt><esi:except><esi:include src='/b'/></esi:except>"
        "</esi:try>2</esi:attempt><esi:except>outer</esi:except></esi:try>";
    assert_text_equal(render(document, {{"/a", "A"}}), "1A2");
    assert_text_equal(render(document, {{"/b", "B"}}), "1B2");
    assert_text_equal(render(document), "outer");
}

TEST(a_try_without_a_way_out_is_an_error_of_the_page) {
    Request request;
    Run run(
        "a<esi:try><esi:attempt><esi:include src='/a'/></esi:attempt><esi:except "
        "code='404'>x</esi:except></esi:try>b",
        request, {{"/a", 500}});
    assert_int_equal(run.page.page_errors, 1);
    assert_text_equal(run.page.output, "ab");
}

TEST(a_failed_attempt_is_decided_without_waiting_for_the_rest) {
    CompileResult compiled = compile(simple_try, options());
    Request request;
    Budget budget;
    Assembler assembler(PlanView::parse(compiled.plan, simple_try.size()).value(), request, budget);
    while (assembler.step().kind != Step::Kind::idle) {
    }
    assert_true(assembler.wanted(1));
    assert_true(assembler.outcome(1, false, 500));
    assert_false(assembler.wanted(2));
    assert_false(assembler.outcome(2, true));
    Step::Kind last = Step::Kind::idle;
    for (Step step = assembler.step(); step.kind != Step::Kind::done && step.kind != Step::Kind::idle;
         step = assembler.step())
        last = step.kind;
    assert_true(last == Step::Kind::close);
    assert_true(assembler.step().kind == Step::Kind::done);
}

TEST(assignments_inside_a_try_stay_inside) {
    assert_text_equal(
        render("<esi:assign name='x' value='1'/><esi:try><esi:attempt><esi:assign name='x' value='2'/>"
               "<esi:vars>$(x)</esi:vars></esi:attempt><esi:except>e</esi:except></esi:try><esi:vars>$(x)</"
               "esi:vars>"),
        "21");
}

// ---- outcomes and limits

TEST(an_outcome_counts_once) {
    std::string_view document = "<esi:include src='/a'/>";
    CompileResult compiled = compile(document, options());
    Request request;
    Budget budget;
    Assembler assembler(PlanView::parse(compiled.plan, document.size()).value(), request, budget);
    assert_false(assembler.outcome(0, true));  // not fetched yet
    assert_true(assembler.step().kind == Step::Kind::fetch);
    assert_true(assembler.outcome(0, true));  // even before its emit
    assert_false(assembler.outcome(0, false));
    assert_false(assembler.outcome(77, true));
    assert_true(assembler.step().kind == Step::Kind::emit);
    assert_true(assembler.step().kind == Step::Kind::done);
}

TEST(a_page_in_slices_is_the_same_page) {
    std::string_view document =
        "a<esi:try><esi:attempt>b<esi:include src='/1'/><esi:try><esi:attempt>c<esi:include src='/2'>d<esi:include "
        "src='/3'/></esi:include></esi:attempt><esi:except>e</esi:except></esi:try></esi:attempt><esi:except code='404'>"
        "f<esi:include src='/4'>g</esi:include></esi:except><esi:except>h</esi:except></esi:try>"
        "<esi:foreach collection='[1..5]' item='i'><esi:vars>$(i)</esi:vars><esi:include src='/$(i)'>-</esi:include>"
        "</esi:foreach>z";
    for (unsigned failing = 0; failing < 32; ++failing) {
        Fragments fragments;
        for (unsigned i = 0; i < 5; ++i) {
            std::string name = "/" + std::to_string(i + 1);
            fragments.emplace(name, (failing >> i & 1) != 0 ? Fragment(404) : Fragment("F"));
        }
        Request request;
        for (Order order : {Order::first_come, Order::last_come}) {
            std::string whole = Run(document, request, fragments, order).page.output;
            for (std::uint64_t slice : {1, 2, 3, 7, 20}) {
                Run run(document, request, fragments, order, {}, slice);
                assert_text_equal(run.page.output, whole);
                assert_true(run.page.done && run.page.pauses > 0);
            }
        }
    }
}

TEST(endless_work_ends) {
    Request request;
    Run run(
        "<esi:assign name='l' value='[1..1000]'/><esi:vars><esi:foreach collection='$(l)'><esi:foreach "
        "collection='$(l)'>"
        "<esi:choose><esi:when test=\"'a' matches "
        "'b'\"/></esi:choose>x</esi:foreach></esi:foreach>end</esi:vars>",
        request, {});
    assert_true(run.page.exceeded() == Exceeded::work);
    assert_true(run.page.output.size() > 100 && run.page.output.size() < 100'000);
    assert_true(run.page.output.ends_with("xend"));
}

TEST(endless_text_ends) {
    Request request;
    BudgetLimits limits;
    limits.memory = 1 << 20;
    Run run(
        "<esi:assign name='x' value=\"'0123456789'\"/><esi:foreach collection='[1..100]'><esi:assign "
        "name='x' value='$(x) + $(x)'/>"
        "</esi:foreach>end",
        request, {}, Order::first_come, limits);
    assert_true(run.page.exceeded() == Exceeded::expression || run.page.exceeded() == Exceeded::memory);
    assert_text_equal(run.page.output, "end");
}

TEST(endless_loops_end_when_memory_does) {
    Request request;
    BudgetLimits limits;
    limits.memory = 1 << 20;
    Run run("a<esi:foreach collection='[1..1000]'><esi:foreach collection='[1..1000]'><esi:include src='/a'/></esi:foreach>"
            "</esi:foreach>end",
            request, {}, Order::first_come, limits);
    assert_true(run.page.exceeded() == Exceeded::memory && run.page.done);
    assert_true(run.page.output.ends_with("end"));
}

TEST(structure_that_has_no_room_ends_the_page) {
    Request request;
    BudgetLimits limits;
    limits.memory = 1 << 14;
    std::string many;
    for (int i = 0; i < 200; ++i) many += "<esi:try><esi:attempt><esi:include src='/a'/></esi:attempt><esi:except>x</esi:except></esi:try>";
    Run run(many + "end", request, {}, Order::first_come, limits);
    assert_true(run.page.exceeded() == Exceeded::memory && run.page.done);
    assert_false(run.page.output.ends_with("end"));
}

// A single operation can't pause, so it has its own limit.
TEST(no_operation_takes_much_more_than_a_slice) {
    Request request;
    std::string big = "<esi:assign name='n' value=\"'" + std::string(8000, 'a') + "'\"/>";
    for (int i = 0; i < 2; ++i)
        big += "<esi:assign name='n' value='$(n)+$(n)+$(n)+$(n)+$(n)+$(n)+$(n)+$(n)'/>";
    for (const char* body :
         {"$digest_sha256_hex($(n))", "$replace($(n), 'a', 'bb')", "$index($(n), 'b')", "$rindex($(n), 'b')",
          "$url_encode($(n))", "$join($string_split($(n), 'a'), 'x')", "$(l) + $(l)", "$in('x', $(l))",
          "$html_decode($(n))", "$len($(n) + $(n))", "$str($(l) + $(l))"}) {
        std::string many = "(" + std::string(body) + ")";
        for (int i = 0; i < 9; ++i) many += " + (" + std::string(body) + ")";
        CompileResult compiled = compile(big + "<esi:assign name='l' value='[1..1000]'/><esi:foreach collection='$(l)'>" +
                                             "<esi:assign name='q' value=\"" + many + "\"/></esi:foreach>",
                                         options());
        assert_text_equal(compiled.reports.empty() ? "" : compiled.reports[0].text, "");
        BudgetLimits limits;
        Budget budget(limits);
        std::string document(compiled.plan.size(), ' ');
        Assembler assembler(PlanView::trusted(compiled.plan), request, budget);
        for (;;) {
            budget.begin_slice(1);
            std::uint64_t before = budget.work_left();
            Step::Kind kind = assembler.step().kind;
            if (budget.out_of_work()) break;  // the operation that would have exceeded the limit was not done
            assert_true(before - budget.work_left() <= limits.expression_work + 100);
            if (kind == Step::Kind::done) break;
        }
    }
}

TEST_MAIN("assembler")
