// A host for tests: a configurable environment, and an assembler driven with fragments from a map.
#pragma once

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge_includes/assembler.hpp"
#include "edge_includes/compile.hpp"

namespace larder::esi::test {

struct Request : Environment {
    std::map<std::string, std::string, std::less<>> cookies, headers, variables;
    std::string query, host_name = "www.example", method_name = "GET", path_name = "/page",
                       scheme_name = "https";
    std::optional<std::string> address;
    std::vector<std::string> asked_headers;
    std::int64_t now = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT

    static std::optional<std::string_view> look(const std::map<std::string, std::string, std::less<>>& in,
                                                std::string_view name) {
        auto at = in.find(name);
        return at == in.end() ? std::nullopt : std::optional<std::string_view>(at->second);
    }
    std::optional<std::string_view> cookie(std::string_view name) override { return look(cookies, name); }
    std::optional<std::string_view> header(std::string_view name) override {
        asked_headers.emplace_back(name);
        return look(headers, name);
    }
    std::string_view query_string() override { return query; }
    std::string_view host() override { return host_name; }
    std::string_view method() override { return method_name; }
    std::string_view path() override { return path_name; }
    std::string_view scheme() override { return scheme_name; }
    std::optional<std::string_view> remote_address() override {
        return address ? std::optional<std::string_view>(*address) : std::nullopt;
    }
    std::int64_t unix_time() override { return now; }
    std::optional<std::string_view> variable(std::string_view name, std::string_view key) override {
        return look(variables, key.empty() ? std::string(name) : std::string(name) + "." + std::string(key));
    }
    std::optional<FunctionResult> call(std::string_view name,
                                       std::span<const std::string_view> arguments) override {
        if (name == "csrf_token") return FunctionResult{"<input value=\"t\">", Escape::html};
        if (name == "echo" && !arguments.empty())
            return FunctionResult{std::string(arguments[0]), Escape::none};
        return std::nullopt;
    }
};

inline constexpr std::string_view host_functions[] = {"csrf_token", "echo"};
inline constexpr std::string_view host_variables[] = {"site"};

inline CompileOptions options() {
    CompileOptions chosen;
    chosen.host_functions = host_functions;
    chosen.host_variables = host_variables;
    return chosen;
}

// A fragment; a number alone is a failure with that status.
struct Fragment {
    std::string body;
    std::uint16_t status = 200;
    Fragment(const char* text) : body(text) {}
    Fragment(int failure) : status(static_cast<std::uint16_t>(failure)) {}
};
using Fragments = std::map<std::string, Fragment, std::less<>>;

enum class Order { first_come, last_come };

// Drives an assembler as assembler.hpp says, and records what happens.
class Page {
public:
    Page(std::string_view document, PlanView plan, Environment& environment, const Fragments& fragments = {},
         Order order = Order::first_come, BudgetLimits limits = {},
         std::uint64_t slice = UINT64_MAX)
        : document_(document),
          fragments_(fragments),
          slice_(slice),
          budget_(limits),
          assembler_(plan, environment, budget_) {
        budget_.begin_slice(slice_);
        pump();
        before_fetches = render(pieces_, true);
        while (!running_.empty()) {
            std::size_t at = order == Order::first_come ? 0 : running_.size() - 1;
            auto [id, url] = running_[at];
            running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(at));
            auto found = fragments_.find(url);
            Fragment fragment = found == fragments_.end() ? Fragment(404) : found->second;
            bool ok = fragment.status == 200;
            if (ok) places_[id] = {Piece{Kind::body, fragment.body, 0}};
            assembler_.outcome(id, ok, fragment.status);
            pump();
        }
        output = render(pieces_, false);
    }

    std::string output;
    std::string before_fetches;     // the output before the first outcome
    std::vector<std::string> urls;  // in the order of the fetches
    std::vector<IncludeAttributes> attributes;
    int page_errors = 0;
    int pauses = 0;
    bool done = false;
    Exceeded exceeded() const { return budget_.exceeded(); }

private:
    enum class Kind { body, place };
    struct Piece {
        Kind kind;
        std::string text;
        FragmentId id;
    };
    using Pieces = std::vector<Piece>;

    void pump() {
        for (;;) {
            Step step = assembler_.step();
            switch (step.kind) {
                case Step::Kind::literal:
                    list().push_back(
                        {Kind::body, std::string(document_.substr(step.offset, step.length)), 0});
                    break;
                case Step::Kind::text:
                    list().push_back({Kind::body, std::string(step.text), 0});
                    break;
                case Step::Kind::emit:
                    list().push_back({Kind::place, "", step.id});
                    break;
                case Step::Kind::fetch:
                    urls.emplace_back(step.text);
                    attributes.push_back(step.attributes);
                    running_.emplace_back(step.id, std::string(step.text));
                    break;
                case Step::Kind::open:
                    if (open_) std::abort();
                    open_ = step.id;
                    places_[step.id] = Pieces{};
                    break;
                case Step::Kind::close:
                    if (open_ != step.id) std::abort();
                    open_.reset();
                    break;
                case Step::Kind::page_error:
                    ++page_errors;
                    break;
                case Step::Kind::done:
                    done = true;
                    return;
                case Step::Kind::idle:
                    return;
                case Step::Kind::pause:
                    ++pauses;
                    budget_.begin_slice(slice_);
                    break;
            }
        }
    }

    Pieces& list() { return open_ ? *places_[*open_] : pieces_; }

    // The output: all of it, or up to the first place without content.
    std::string render(const Pieces& pieces, bool partial) {
        std::string out;
        stopped_ = false;
        append(out, pieces, partial);
        return out;
    }
    void append(std::string& out, const Pieces& pieces, bool partial) {
        for (const Piece& piece : pieces) {
            if (stopped_) return;
            if (piece.kind == Kind::body) {
                out += piece.text;
            } else if (auto content = places_[piece.id]) {
                append(out, *content, partial);
            } else if (partial) {
                stopped_ = true;
            } else {
                out += "{missing}";
            }
        }
    }

    std::string_view document_;
    const Fragments& fragments_;
    std::uint64_t slice_;
    Budget budget_;
    Assembler assembler_;
    Pieces pieces_;
    std::map<FragmentId, std::optional<Pieces>> places_;
    std::optional<FragmentId> open_;
    std::vector<std::pair<FragmentId, std::string>> running_;
    bool stopped_ = false;
};

// The assembled page; the document itself if it has no ESI.
inline std::string render(std::string_view document, Environment& environment,
                          const Fragments& fragments = {}, const CompileOptions& chosen = options()) {
    CompileResult compiled = compile(document, chosen);
    if (!compiled.has_esi) return std::string(document);
    const char* why = nullptr;
    auto plan = PlanView::parse(compiled.plan, document.size(), &why);
    if (!plan) return std::string("bad plan: ") + why;
    Page page(document, *plan, environment, fragments);
    return page.done ? page.output : "not done: " + page.output;
}

inline std::string render(std::string_view document, const Fragments& fragments = {}) {
    Request request;
    return render(document, request, fragments);
}

// Checks the plan, and prints it.
inline std::string plan_text(std::string_view document, const CompileOptions& chosen = options()) {
    CompileResult compiled = compile(document, chosen);
    if (!compiled.has_esi) return "no esi";
    const char* why = nullptr;
    auto plan = PlanView::parse(compiled.plan, document.size(), &why);
    return plan ? plan->to_text() : std::string("bad plan: ") + why;
}

}  // namespace larder::esi::test
