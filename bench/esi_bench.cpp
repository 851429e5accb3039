// Micro-benchmarks of the ESI library: compiling a page, checking a plan, and assembling a page of 4 KB with ten includes.
// Assembling carries out all steps, and copies all output, including fragments of 1 KB, into one buffer.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "edge_includes/assembler.hpp"
#include "edge_includes/compile.hpp"

using namespace larder::esi;

namespace {

// CPU time of this process, in nanoseconds; not influenced by other programs on the machine.
double cpu_time() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Nanoseconds per call, in the fastest of several rounds.
template <typename Work>
double nanoseconds(Work work) {
    double best = 1e18;
    for (int round = 0; round < 7; ++round) {
        double start = cpu_time(), spent = 0;
        long calls = 0;
        while (spent < 60e6) {
            for (int i = 0; i < 64; ++i) work();
            calls += 64;
            spent = cpu_time() - start;
        }
        best = std::min(best, spent / static_cast<double>(calls));
    }
    return best;
}

std::string page_with(const std::string& include, std::size_t count, std::size_t size) {
    std::string filler;
    while (filler.size() < size / (count + 1))
        filler += "<p class=\"story\">Lorem ipsum dolor sit amet &amp; <a href=\"/x?y=1\">more</a></p>\n";
    std::string page = "<html><!-- head -->";
    for (std::size_t i = 0; i < count; ++i) page += filler + include;
    return page + filler + "</html>";
}

class Output {
public:
    void begin() { used_ = 0; }
    void add(std::string_view bytes) {
        std::memcpy(buffer_.data() + used_, bytes.data(), bytes.size());
        used_ += bytes.size();
    }
    std::size_t size() const { return used_; }

private:
    std::vector<char> buffer_ = std::vector<char>(1 << 20);
    std::size_t used_ = 0;
};

std::size_t walk_simple(std::string_view document, const PlanView& plan, std::string_view fragment,
                        Output& out) {
    out.begin();
    std::size_t urls = 0;
    for (std::uint32_t i = 0; i < plan.op_count(); ++i) {
        Op op = plan.op(i);
        if (op.kind == OpKind::literal) {
            out.add(document.substr(op.a, op.b));
        } else {
            urls += plan.include(op.a).src.bytes.size();
            out.add(fragment);
        }
    }
    return urls + out.size();
}

std::size_t assemble(std::string_view document, const PlanView& plan, std::string_view fragment,
                     Environment& environment, Output& out) {
    out.begin();
    Budget budget;
    Assembler assembler(plan, environment, budget);
    for (;;) {
        Step step = assembler.step();
        switch (step.kind) {
            case Step::Kind::literal:
                out.add(document.substr(step.offset, step.length));
                break;
            case Step::Kind::text:
                out.add(step.text);
                break;
            case Step::Kind::fetch:
                assembler.outcome(step.id, true);
                break;
            case Step::Kind::emit:
                out.add(fragment);
                break;
            case Step::Kind::done:
                return out.size();
            default:
                break;
        }
    }
}

struct Visitor : Environment {
    std::optional<std::string_view> cookie(std::string_view) override { return "Ann <ann@example.org>"; }
    std::string_view query_string() override { return "page=2&sort=price"; }
};

void measure(const char* name, const std::string& include) {
    std::string document = page_with(include, 10, 4096), fragment(1024, 'f');
    CompileResult compiled = compile(document);
    PlanView plan = PlanView::trusted(compiled.plan);
    Visitor visitor;
    Output out;
    std::size_t sink = 0;
    std::printf("%-34s plan %5zu bytes  check %6.0f ns", name, compiled.plan.size(),
                nanoseconds([&] { sink += PlanView::parse(compiled.plan, document.size()).has_value(); }));
    if (plan.is_simple())
        std::printf("  walk %6.0f ns",
                    nanoseconds([&] { sink += walk_simple(document, plan, fragment, out); }));
    std::printf("  assemble %6.0f ns\n",
                nanoseconds([&] { sink += assemble(document, plan, fragment, visitor, out); }));
    if (sink == 0) std::puts("?");
}

}  // namespace

int main() {
    for (auto [name, include] :
         {std::pair<const char*, const char*>{"compile, no ESI", ""},
          {"compile, 20 includes", "<esi:include src=\"/fragment?id=7\" onerror=\"continue\"/>"},
          {"compile, 20 variables and branches",
           "<esi:vars>$(HTTP_COOKIE{name}|'you')</esi:vars><esi:choose><esi:when "
           "test=\"$(QUERY_STRING{page}) > 1\">a"
           "</esi:when><esi:otherwise>b</esi:otherwise></esi:choose>"}}) {
        std::string document = page_with(include, 20, 100'000);
        double spent = nanoseconds([&] { compile(document); });
        std::printf("%-34s %7.0f MB/s\n", name, static_cast<double>(document.size()) * 1e3 / spent);
    }
    std::puts("4 KB page, 10 fragments of 1 KB, per page:");
    measure("constant includes", "<esi:include src=\"/fragment\"/>");
    measure("includes with fallback", "<esi:include src=\"/fragment\" alt=\"/other\">sorry</esi:include>");
    measure("includes with a variable in src", "<esi:include src=\"/fragment?user=$(HTTP_COOKIE{user})\"/>");
    measure("includes in try",
            "<esi:try><esi:attempt><esi:include "
            "src=\"/f\"/></esi:attempt><esi:except>sorry</esi:except></esi:try>");
    measure("includes, variables, branches",
            "<esi:include "
            "src=\"/fragment\"/><esi:vars>$(HTTP_COOKIE{name}|'you')</esi:vars><esi:choose><esi:when "
            "test=\"$(QUERY_STRING{page}) > 1\">"
            "a</esi:when><esi:otherwise>b</esi:otherwise></esi:choose>");
}
