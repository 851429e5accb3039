// Requests every fragment as soon as the plan names it, and waits for them in order.
#include "assemble.hpp"

#include <spdlog/spdlog.h>

#include <deque>

#include "daemon/render/plan.hpp"

namespace larder::daemon {

namespace {

// ESI variables as a visitor without cookies and optional headers has them.
class FirstVisit : public esi::Environment {
public:
    explicit FirstVisit(const PageAddress& page) : page_(page), now_s_(unix_ms() / 1000) {}

    std::string_view query_string() override { return page_.query; }
    std::string_view host() override { return page_.host; }
    std::string_view method() override { return "GET"; }
    std::string_view path() override { return page_.path; }
    std::string_view scheme() override { return page_.scheme; }
    std::int64_t unix_time() override { return now_s_; }

private:
    const PageAddress& page_;
    const std::int64_t now_s_;
};

bool reads_form_token(std::string_view plan) {
    return (esi::PlanView::trusted(plan).reads() & esi::reads_form_token) != 0;
}

const char* limit_met(const esi::PageTree& tree, const esi::Budget& budget) {
    if (tree.cut() == esi::Cut::output) return "it is too long";
    if (tree.cut() != esi::Cut::no || budget.exceeded() != esi::Exceeded::nothing)
        return "it takes more work or memory than a page may";
    return nullptr;
}

esi::PageLimits limits_of(const Policy& policy) {
    esi::PageLimits limits;
    limits.depth = policy.esi_max_depth;
    limits.includes = policy.esi_max_includes;
    return limits;
}

}  // namespace

// One page while it is assembled: fetches its fragments for the PageTree.
struct PageAssembler::Assembly : esi::PageHost {
    struct Fetch {
        esi::FetchId id;
        PageAddress address;
    };
    struct Answer {
        std::string target, entry;
    };

    Assembly(PageAssembler& the_assembler, const PageAddress& the_page) : assembler(the_assembler), page(the_page) {}

    std::optional<PageAddress> address_of(std::string_view target) const {
        return parse_page_url(page.scheme + "://" + page.host + std::string(target));
    }

    // Ignores maxwait, which bounds how long a visitor waits.
    const char* fetch(esi::FetchId id, std::string_view target, const esi::IncludeAttributes&) override {
        auto address = address_of(target);
        if (!address) return "it is no URL of a page";
        assembler.source_.request(*address, assembler.policy_, assembler.since_ms_);
        fetches.push_back({id, std::move(*address)});
        return nullptr;
    }
    void refused(std::string_view url, const char* reason) override {
        why = esi::redact_url(url) + ": " + reason;
    }
    void left_out() override { has_holes = true; }
    void uses(std::string_view plan) override { wants_form_token = wants_form_token || reads_form_token(plan); }
    void reported(const esi::Report& report) override {
        spdlog::warn("prerender: ESI of a fragment of {}{}, line {}: {}", page.host, page.path, report.line, report.text);
    }

    PageAssembler& assembler;
    const PageAddress& page;
    std::deque<Fetch> fetches;   // requested, not awaited yet
    std::deque<Answer> answers;  // of fragments; a deque, because the tree holds views into them
    std::string why;
    bool has_holes = false, wants_form_token = false;
};

PageAssembler::PageAssembler(PageSource& source, Policy policy, UnixMs since_ms, UnixMs deadline_ms)
    : source_(source), policy_(std::move(policy)), since_ms_(since_ms), deadline_ms_(deadline_ms) {}

// Waits for the fragment that was requested first, and gives it to the tree.
void PageAssembler::await_one(esi::PageTree& tree, Assembly& made) {
    Assembly::Fetch fetch = std::move(made.fetches.front());
    made.fetches.pop_front();
    auto bytes = source_.await(fetch.address, policy_, since_ms_, deadline_ms_, made.why);
    if (!bytes) return tree.failed(fetch.id, 0);
    made.answers.push_back({std::move(fetch.address.path), std::move(*bytes)});
    const Assembly::Answer& answer = made.answers.back();
    EntryView entry = EntryView::trusted(answer.entry);
    std::uint16_t status = entry.head().status;
    const char* fault = nullptr;
    bool good = status >= 200 && status < 300;
    if (good && !entry.plan().empty() && !esi::PlanView::parse(entry.plan(), entry.body().size(), &fault)) {
        made.why = fault;
        good = false;
    }
    if (good)
        tree.arrived(fetch.id, entry.body(), entry.plan(), answer.target);
    else
        tree.failed(fetch.id, status);
}

std::optional<std::string> PageAssembler::assemble(const EntryView& entry, const PageAddress& page, std::string& why) {
    if (entry.plan().empty()) return std::string(entry.body());
    const char* fault = nullptr;
    if (!esi::PlanView::parse(entry.plan(), entry.body().size(), &fault)) {
        why = fault;
        return std::nullopt;
    }
    FirstVisit visit(page);
    Assembly made(*this, page);
    esi::PageTree tree(entry.body(), entry.plan(), page.path, visit, made, limits_of(policy_), compile_options(policy_, entry.header("Content-Type")));
    made.wants_form_token = reads_form_token(entry.plan());
    esi::PageTree::Reader reader(tree);
    std::string out;
    for (;;) {
        tree.run();
        esi::PageTree::Output next;
        while ((next = reader.next()).kind == esi::PageTree::Output::Kind::text) out += next.text;
        if (made.wants_form_token)
            why = "it holds a form's token, which is each visitor's own";
        else if (made.has_holes)
            why = "a fragment failed" + (made.why.empty() ? "" : ": " + made.why);
        else if (const char* limit = limit_met(tree, tree.budget()))
            why = limit;
        else if (next.kind == esi::PageTree::Output::Kind::end)
            return out;
        else if (made.fetches.empty())
            why = "its plan waits for nothing";
        else {
            await_one(tree, made);
            continue;
        }
        return std::nullopt;
    }
}

}  // namespace larder::daemon
