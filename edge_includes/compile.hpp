// Compiles an ESI document, which may come in chunks of any size, into a plan.
//
// Wrong markup never makes the document fail: the tag is treated as text, its content as if the tag were not there, and a
// report says where and why. docs/esi.md describes the language.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace larder::esi {

// The syntax that values in the document's text are escaped for. Inside <script> it is always JSON.
enum class Syntax : std::uint8_t { html, json };

// JSON for a JSON content type (RFC 8259, RFC 6839 section 3.1), HTML for any other.
Syntax syntax_of(std::string_view content_type);

// Markup beyond a limit is treated as text and reported. Beyond document_bytes there is no plan at all.
struct CompileLimits {
    std::size_t document_bytes = 4u << 20;  // at most 4 GiB - 1
    std::uint32_t includes = 256;
    std::uint32_t ops = 16384;
    std::uint32_t depth = 32;      // elements inside each other; at most plan_max_depth / 2
    std::size_t tag_bytes = 8192;  // bytes of one tag
    std::size_t reports = 32;      // further reports are only counted
    std::uint64_t work = 200'000;  // units of budget.hpp; checked every 4 KiB
};

// The limit of work for a document of at most this size: 50,000 units per MiB, about three times the work of HTML with a
// few hundred includes and some thousand variables. 50,000 units, the limit with the default size of larder_esi, take less
// than 10 ms.
constexpr std::uint64_t compile_work(std::size_t document_bytes) {
    return 50'000 * std::max<std::uint64_t>(1, document_bytes >> 20);
}

struct CompileOptions {
    CompileLimits limits;
    Syntax syntax = Syntax::html;
    // Names of variables and functions that the host's Environment provides beyond the built-in ones. $(name) and
    // $name(...) with any other name are not ESI (but jQuery, say) and stay as they are. The strings must outlive the
    // compiler.
    std::span<const std::string_view> host_variables;
    std::span<const std::string_view> host_functions;
};

// An error in the document.
struct Report {
    std::uint64_t offset = 0;  // byte offset of the tag in the document
    std::uint32_t line = 0;    // from 1
    std::string text;          // what is wrong and what is legal; printable
};

struct CompileResult {
    bool has_esi = false;    // false: the document has no ESI markup; the plan is empty
    bool too_large = false;  // the document is larger than limits.document_bytes; the plan is empty
    std::string plan;
    std::uint32_t includes = 0;
    std::uint32_t inlines = 0;
    std::uint32_t ops = 0;
    std::vector<Report> reports;
    std::uint64_t reports_dropped = 0;
};

class Compiler {
public:
    explicit Compiler(CompileOptions options = {});
    ~Compiler();
    Compiler(Compiler&&) noexcept;
    Compiler& operator=(Compiler&&) noexcept;

    // Compiles the document's next bytes. Keeps no reference to them; copies only an unfinished tag. Returns false when
    // the document is larger than its limit; further calls then have no effect.
    bool feed(std::string_view chunk);

    // Ends the document. Must be called once, and nothing after it.
    CompileResult finish();

    // The work done so far, in the units of budget.hpp.
    std::uint64_t work() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Compiles a document in steps, so that the caller can do other work in between.
class StepwiseCompiler {
public:
    // `document` must stay valid until done().
    StepwiseCompiler(std::string_view document, const CompileOptions& options) : document_(document), compiler_(options) {}

    // Compiles the next 4 KiB. Returns the work done, in the units of budget.hpp. Precondition: !done().
    std::uint64_t step();
    bool done() const { return done_; }
    CompileResult& result() { return result_; }

private:
    std::string_view document_;
    Compiler compiler_;
    CompileResult result_;
    bool done_ = false;
};

// Compiles a whole document.
CompileResult compile(std::string_view document, const CompileOptions& options = {});

}  // namespace larder::esi
