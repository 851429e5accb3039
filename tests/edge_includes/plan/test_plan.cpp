// Plans are read back as written, and hostile bytes are refused.
#include "edge_includes/plan/plan.hpp"

#include <cstring>
#include <random>

#include "edge_includes/plan/plan_bytes.hpp"
#include "tests/cmocka.hpp"
#include "tests/edge_includes/host.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

constexpr std::string_view document =
    "<p><esi:include src='/a' alt='/b?$(QUERY_STRING)' ttl='30' "
    "maxwait='1s'>fallback<esi:remove>x</esi:remove></esi:include>"
    "<esi:assign name='l' value='[1, 2]'/><esi:vars><esi:foreach collection='$(l)' "
    "item='i'>$(i)<esi:break/></esi:foreach></esi:vars>"
    "<esi:choose><esi:when "
    "test=\"$(HTTP_COOKIE{g})=='a'\">A</esi:when><esi:otherwise>O</esi:otherwise></esi:choose>"
    "<esi:try><esi:attempt><esi:include src='/t'/></esi:attempt><esi:except "
    "code='404'>4</esi:except><esi:except>e</esi:except></esi:try>"
    "<esi:inline name='/part' fetchable='yes'>part</esi:inline></p>";

std::string plan_of(std::string_view text) {
    return compile(text, options()).plan;
}

void seal(std::string& plan) {
    if (plan.size() < sizeof(PlanHeader)) return;
    std::uint32_t sum = plan_checksum(plan.data(), plan.size());
    std::memcpy(plan.data() + checksum_at, &sum, sizeof sum);
}

// Runs the plan if parse() accepts it.
void try_out(std::string_view plan, std::size_t size) {
    auto view = PlanView::parse(plan, size);
    if (!view) return;
    view->to_text();
    Request request;
    std::string text(size, '.');
    BudgetLimits limits;
    limits.work = 2000;
    limits.memory = 100'000;
    Page page(text, *view, request, {{"/a", "A"}}, Order::first_come, limits);
    assert_true(page.done);
}

}  // namespace

TEST(a_plan_prints_as_it_was_written) {
    assert_text_equal(plan_text(document),
                      "literal 0+3\n"
                      "include \"/a\" alt=concat('/b?', raw($(QUERY_STRING))) maxwait=1000ms ttl=30s\n"
                      "  literal 72+8\n"
                      "assign l = [1, 2]\n"
                      "foreach i in $(l)\n"
                      "  emit html($(i))\n"
                      "  break\n"
                      "choose\n"
                      "  when ($(HTTP_COOKIE{'g'}) == 'a') -> MATCHES\n"
                      "    literal 300+1\n"
                      "  otherwise\n"
                      "    literal 327+1\n"
                      "try\n"
                      "  attempt\n"
                      "    include \"/t\"\n"
                      "  except 404\n"
                      "    literal 439+1\n"
                      "  except\n"
                      "    literal 465+1\n"
                      "literal 547+4\n"
                      "inline \"/part\" 530+4 fetchable\n");
}

TEST(a_plan_says_whether_it_is_simple) {
    auto simple = [](std::string_view text) {
        return PlanView::parse(plan_of(text), text.size()).value().is_simple();
    };
    assert_true(simple("a<esi:include src='/a'/>b<esi:include src='/b' alt='/c' onerror='continue'/>"));
    assert_true(simple("a<esi:remove>x</esi:remove>"));
    assert_false(simple("<esi:include src='/a'>fallback</esi:include>"));
    assert_false(simple("<esi:include src='/a$(HTTP_HOST)'/>"));
    assert_false(simple("<esi:include src='/a' alt='/$(HTTP_HOST)'/>"));
    assert_false(simple("<esi:vars>$(HTTP_HOST)</esi:vars>"));
    assert_false(simple("<esi:try><esi:attempt>a</esi:attempt><esi:except>b</esi:except></esi:try>"));
}

TEST(a_plan_says_what_it_reads) {
    auto reads = [](std::string text) {
        text = "<esi:assign name='v' value='1'/>" + text;
        return PlanView::parse(plan_of(text), text.size()).value().reads();
    };
    assert_int_equal(reads("<esi:vars>$(v)$upper('a')</esi:vars><esi:include src='/a$(v)'/>"), 0);
    assert_int_equal(reads("<esi:vars>$(HTTP_COOKIE{a})</esi:vars>"), reads_cookies);
    assert_int_equal(reads("<esi:include src='/a' alt='/$(QUERY_STRING{a})'/>"), reads_query);
    assert_int_equal(reads("<esi:choose><esi:when test=\"$(v|$(HTTP_X_Y)) == 'a'\"/></esi:choose>"),
                     reads_headers);
    assert_int_equal(reads("<esi:foreach collection='[1, $(HTTP_HOST)]'/>"), reads_request);
    assert_int_equal(reads("<esi:assign name='w' value='$(REMOTE_ADDR)'/>"), reads_address);
    assert_int_equal(reads("<esi:vars>$(site)</esi:vars>"), reads_host_names);
    assert_int_equal(reads("<esi:vars>$echo('a')$time()</esi:vars>"), reads_host_names | reads_time);
    assert_int_equal(reads("<esi:vars>$csrf_token()</esi:vars>"), reads_host_names | reads_form_token);
    assert_int_equal(reads("<esi:remove><esi:vars>$(HTTP_COOKIE{a})</esi:vars></esi:remove>"), 0);
}

TEST(a_simple_plan_can_be_walked_without_an_assembler) {
    std::string_view text = "a<esi:include src='/x' maxwait='5'/>b";
    std::string plan = plan_of(text), out;
    PlanView view = PlanView::trusted(plan);
    for (std::uint32_t i = 0; i < view.op_count(); ++i) {
        Op op = view.op(i);
        if (op.kind == OpKind::literal) {
            out += text.substr(op.a, op.b);
        } else {
            Include include = view.include(op.a);
            out += "[" + std::string(include.src.bytes) + " " +
                   std::to_string(include.attributes.maxwait_ms) + "]";
            assert_true(include.src.bytes.data() >= plan.data() &&
                        include.src.bytes.data() < plan.data() + plan.size());
        }
    }
    assert_text_equal(out, "a[/x 5]b");
}

TEST(reasons_of_refusal_are_named) {
    std::string plan = plan_of(document);
    auto why = [&](std::string_view bytes, std::size_t size) {
        const char* reason = nullptr;
        bool accepted = PlanView::parse(bytes, size, &reason).has_value();
        return accepted ? std::string("accepted") : std::string(reason);
    };
    assert_text_equal(why(plan, document.size()), "accepted");
    assert_text_equal(why(plan, document.size() - 1), "compiled from a document of another size");
    assert_text_equal(why("", 0), "shorter than its header");
    assert_text_equal(why(plan.substr(0, plan.size() - 1), document.size()), "sizes disagree");
    std::string changed = plan;
    changed[0] = 'X';
    assert_text_equal(why(changed, document.size()), "not a plan");
    changed = plan;
    changed[4] = 99;
    assert_text_equal(why(changed, document.size()), "another version");
    changed = plan;
    changed.back() = static_cast<char>(changed.back() ^ 1);
    assert_text_equal(why(changed, document.size()), "wrong checksum");
}

TEST(truncated_plans_are_refused) {
    std::string plan = plan_of(document);
    for (std::size_t size = 0; size < plan.size(); ++size)
        assert_false(PlanView::parse({plan.data(), size}, document.size()).has_value());
}

TEST(a_changed_bit_is_noticed) {
    std::string plan = plan_of(document);
    for (std::size_t bit = 0; bit < plan.size() * 8; ++bit) {
        std::string changed = plan;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
        assert_false(PlanView::parse(changed, document.size()).has_value());
    }
}

TEST(forged_plans_with_a_right_checksum_never_crash) {
    std::string plan = plan_of(document);
    std::mt19937 random(2);
    for (std::size_t at = 0; at < plan.size(); ++at) {
        for (unsigned value : {0u, 1u, 2u, 7u, 0x7fu, 0x80u, 0xffu}) {
            std::string changed = plan;
            changed[at] = static_cast<char>(value);
            seal(changed);
            try_out(changed, document.size());
        }
    }
    for (int round = 0; round < 20'000; ++round) {
        std::string changed = plan;
        for (unsigned i = 0; i < 1 + random() % 4; ++i)
            changed[random() % changed.size()] = static_cast<char>(random());
        seal(changed);
        try_out(changed, document.size());
    }
}

TEST_MAIN("plan")
