// The compiler: an ESI document, in chunks cut anywhere, becomes a plan.
//
// Markup that is wrong is never an error of the page: the tag passes through as text, what stands inside it
// is treated as if the tag were not there, and a report says where and why. docs/esi.md has the language.
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

// What variables in page text are escaped for, unless they stand in a <script> (always as in JSON).
enum class Syntax : std::uint8_t { html, json };

// JSON for a JSON content type (RFC 8259, RFC 6839 section 3.1), HTML for any other.
Syntax syntax_of(std::string_view content_type);

// Markup past a limit passes through as text and is reported, except for document_bytes: then there is no
// plan at all.
struct CompileLimits {
    std::size_t document_bytes = 4u << 20;  // at most 4 GiB - 1
    std::uint32_t includes = 256;
    std::uint32_t ops = 16384;
    std::uint32_t depth = 32;      // elements open at the same time; at most plan_max_depth / 2
    std::size_t tag_bytes = 8192;  // one tag, or one $(...) in text
    std::size_t reports = 32;      // further ones are only counted
    std::uint64_t work = 200'000;  // units of budget.hpp; looked at every few KiB
};

// What a document of at most this size may take: HTML with a few hundred includes and some thousand variables takes a third. The
// default size of larder_esi gives 50,000 units, which are less than 10 ms.
constexpr std::uint64_t compile_work(std::size_t document_bytes) {
    return 50'000 * std::max<std::uint64_t>(1, document_bytes >> 20);
}

struct CompileOptions {
    CompileLimits limits;
    Syntax syntax = Syntax::html;
    // Names of variables and functions that the host's Environment provides beyond the built-in ones. $(name)
    // and $name(...) of any other name are not ours (jQuery, say) and pass through. The strings must outlive
    // the compiler.
    std::span<const std::string_view> host_variables;
    std::span<const std::string_view> host_functions;
};

// One thing that was wrong in the document.
struct Report {
    std::uint64_t offset = 0;  // byte offset of the tag in the document
    std::uint32_t line = 0;    // from 1
    std::string text;          // what was wrong and what would be legal; safe to log
};

struct CompileResult {
    bool has_esi = false;    // false: plan is empty, serve the document as it is
    bool too_large = false;  // the document passed limits.document_bytes; plan is empty
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

    // The document's next bytes. Keeps no reference to them and copies only an unfinished tag.
    // False when the document passed its size limit: feeding more has no effect.
    bool feed(std::string_view chunk);

    // Ends the document. The compiler is spent afterwards: call once.
    CompileResult finish();

    // What it took so far, in the units of budget.hpp.
    std::uint64_t work() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// A whole document, compiled bit by bit, so that the caller can do other things between.
class StepwiseCompiler {
public:
    // `document` must stay as it is until the result is there.
    StepwiseCompiler(std::string_view document, const CompileOptions& options) : document_(document), compiler_(options) {}

    // Compiles the next few KiB: what they took, in the units of budget.hpp. Precondition: !done().
    std::uint64_t step();
    bool done() const { return done_; }
    CompileResult& result() { return result_; }

private:
    std::string_view document_;
    Compiler compiler_;
    CompileResult result_;
    bool done_ = false;
};

// The whole document in one call.
CompileResult compile(std::string_view document, const CompileOptions& options = {});

}  // namespace larder::esi
