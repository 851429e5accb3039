// Any document, in chunks of any size: the plan is the same, is valid, and can be assembled with any outcomes of its fetches.
#include <algorithm>
#include <cstdint>

#include "edge_includes/compile.hpp"
#include "tests/edge_includes/host.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

// Runs an assembly to its end, and checks that literals are within the document.
void assemble(std::string_view document, PlanView plan, unsigned luck) {
    Request request;
    request.query = "n=5&q=%3Cb%3E&a=x+y";
    request.cookies["name"] = "<'\"&\\>";
    request.headers["accept-language"] = "en;q=0.5, de";
    BudgetLimits limits;
    limits.work = 5000;
    limits.memory = 100'000;
    Budget budget(limits);
    Assembler assembler(plan, request, budget);
    std::vector<FragmentId> fetching;
    unsigned steps = 0;
    for (;;) {
        Step step = assembler.step();
        EXPECT(++steps < 200'000);
        if (step.kind == Step::Kind::done) break;
        if (step.kind == Step::Kind::literal)
            EXPECT(std::size_t{step.offset} + step.length <= document.size());
        if (step.kind == Step::Kind::fetch) fetching.push_back(step.id);
        if (step.kind == Step::Kind::fetch && luck % 3 != 0) continue;
        if (step.kind != Step::Kind::idle && step.kind != Step::Kind::fetch) continue;
        EXPECT(!fetching.empty());
        std::size_t at = luck % fetching.size();
        luck = luck * 1'103'515'245u + 12'345u;
        FragmentId id = fetching[at];
        fetching.erase(fetching.begin() + static_cast<std::ptrdiff_t>(at));
        bool wanted = assembler.wanted(id);
        EXPECT(assembler.outcome(id, luck % 4 == 0, static_cast<std::uint16_t>(luck % 600)) == wanted);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    std::size_t chunk = 1u + data[0];
    CompileOptions chosen = options();
    chosen.syntax = data[1] & 1 ? Syntax::json : Syntax::html;
    if (data[1] & 2) chosen.limits = {1 << 20, 3, 10, 3, 64, 2};
    std::string_view document(reinterpret_cast<const char*>(data) + 2, size - 2);

    CompileResult whole = compile(document, chosen);
    Compiler compiler(chosen);
    for (std::size_t at = 0; at < document.size(); at += chunk) compiler.feed(document.substr(at, chunk));
    CompileResult cut = compiler.finish();
    EXPECT(whole.plan == cut.plan && whole.has_esi == cut.has_esi &&
           whole.reports.size() == cut.reports.size());
    for (std::size_t i = 0; i < whole.reports.size(); ++i) {
        EXPECT(whole.reports[i].text == cut.reports[i].text && whole.reports[i].line == cut.reports[i].line);
        EXPECT(whole.reports[i].offset <= document.size());
    }
    if (!whole.has_esi) return 0;
    const char* why = nullptr;
    auto plan = PlanView::parse(whole.plan, document.size(), &why);
    if (!plan) std::fprintf(stderr, "refused: %s\n", why);
    EXPECT(plan.has_value());
    EXPECT(plan->include_count() <= chosen.limits.includes);
    plan->to_text();
    assemble(document, *plan, data[0]);
    return 0;
}
