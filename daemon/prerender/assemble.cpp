// Drives edge_includes' assembler: every fragment is requested as soon as it is known, then awaited in turn.
#include "assemble.hpp"

#include <deque>
#include <map>

#include "cache/response/fields.hpp"
#include "edge_includes/assembler.hpp"
#include "edge_includes/include_url.hpp"

namespace larder::daemon {

namespace {

// A page's content in order: text, or the place of a fragment.
struct Piece {
    std::string text;
    std::optional<esi::FragmentId> place;
};
using Pieces = std::vector<Piece>;

// A visitor without cookies and headers.
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

std::optional<PageAddress> fragment_address(std::string_view url, const PageAddress& page) {
    esi::IncludeUrl resolved = esi::resolve_include_url(url, {page.scheme, page.host, page.path});
    if (!resolved.ok() || resolved.remote) return std::nullopt;
    return parse_page_url(page.scheme + "://" + page.host + resolved.target);
}

}  // namespace

struct PageAssembler::Assembly {
    struct Fetch {
        esi::FragmentId id = 0;
        std::optional<PageAddress> address;
    };

    std::vector<Pieces> lists{1};                    // the page's own is the first
    std::vector<std::size_t> open{0};                // those being appended to, the innermost last
    std::map<esi::FragmentId, std::size_t> list_of;  // places whose content is a list
    std::map<esi::FragmentId, std::string> body_of;  // places whose content is a fragment
    std::deque<Fetch> fetches;                       // requested, not awaited yet

    Pieces& current() { return lists[open.back()]; }

    void append_to(std::string& out, std::size_t list) const {
        for (const Piece& piece : lists[list]) {
            out += piece.text;
            if (!piece.place) continue;
            if (auto inner = list_of.find(*piece.place); inner != list_of.end()) {
                append_to(out, inner->second);
            } else if (auto body = body_of.find(*piece.place); body != body_of.end()) {
                out += body->second;
            }
        }
    }
};

PageAssembler::PageAssembler(PageSource& source, Policy policy, UnixMs since_ms, UnixMs deadline_ms)
    : source_(source), policy_(std::move(policy)), since_ms_(since_ms), deadline_ms_(deadline_ms) {}

std::optional<std::string> PageAssembler::assemble(const EntryView& entry, const PageAddress& page,
                                                   std::string& why) {
    return assemble(entry, page, 0, why);
}

std::optional<std::string> PageAssembler::assemble(const EntryView& entry, const PageAddress& page,
                                                   unsigned depth, std::string& why) {
    if (entry.plan().empty()) return std::string(entry.body());
    if (depth > policy_.esi_max_depth) {
        why = "its fragments are nested too deeply";
        return std::nullopt;
    }
    const char* fault = nullptr;
    auto plan = esi::PlanView::parse(entry.plan(), entry.body().size(), &fault);
    if (!plan) {
        why = fault;
        return std::nullopt;
    }
    if ((plan->reads() & esi::reads_form_token) != 0) {
        why = "it holds a form's token, which is each visitor's own";
        return std::nullopt;
    }
    FirstVisit visit(page);
    esi::Assembler assembler(*plan, visit, {.fetches = policy_.esi_max_includes});
    Assembly made;
    for (;;) {
        esi::Step step = assembler.step();
        switch (step.kind) {
            case esi::Step::Kind::literal:
                made.current().push_back({std::string(entry.body().substr(step.offset, step.length)), {}});
                break;
            case esi::Step::Kind::text:
                made.current().push_back({std::string(step.text), {}});
                break;
            case esi::Step::Kind::emit:
                made.current().push_back({{}, step.id});
                break;
            case esi::Step::Kind::open:
                made.list_of[step.id] = made.lists.size();
                made.open.push_back(made.lists.size());
                made.lists.emplace_back();
                break;
            case esi::Step::Kind::close:
                made.open.pop_back();
                break;
            case esi::Step::Kind::fetch: {
                // maxwait is for visitors: nobody waits for a file.
                auto address = fragment_address(step.text, page);
                Policy policy = policy_;
                if (step.attributes.process) policy.esi = EsiMode::on;
                if (address) source_.request(*address, policy, since_ms_);
                made.fetches.push_back({step.id, address});
                break;
            }
            case esi::Step::Kind::idle: {
                if (made.fetches.empty()) {
                    why = "its plan waits for nothing";
                    return std::nullopt;
                }
                Assembly::Fetch fetch = std::move(made.fetches.front());
                made.fetches.pop_front();
                auto bytes = fetch.address ? source_.await(*fetch.address, since_ms_, deadline_ms_, why)
                                           : std::nullopt;
                std::uint16_t status = bytes ? EntryView::trusted(*bytes).head().status : 0;
                auto body = status >= 200 && status < 300
                                ? assemble(EntryView::trusted(*bytes), *fetch.address, depth + 1, why)
                                : std::nullopt;
                if (body) made.body_of[fetch.id] = std::move(*body);
                assembler.outcome(fetch.id, made.body_of.contains(fetch.id), status);
                break;
            }
            case esi::Step::Kind::page_error:
                why = "a fragment failed" + (why.empty() ? "" : ": " + why);
                return std::nullopt;
            case esi::Step::Kind::done: {
                std::string out;
                made.append_to(out, 0);
                return out;
            }
        }
    }
}

}  // namespace larder::daemon
