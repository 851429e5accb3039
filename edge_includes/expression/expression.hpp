// Expressions: tests of <esi:when>, values of <esi:assign>, and $(VAR{key}|default) in text and attributes.
//
// Parsed once, at compile time, into packed bytes (prefix order); evaluated at serve time straight from them.
// Evaluation is bounded in work and memory by the page's budget, and in depth. Syntax and semantics:
// docs/esi.md, after ESI 1.0 section 4.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "edge_includes/budget.hpp"
#include "edge_includes/expression/environment.hpp"
#include "edge_includes/plan/plan.hpp"

namespace larder::esi {

// ---- compile time
// -------------------------------------------------------------------------------------------------------

// Which names exist. Others make an expression invalid at compile time, so that foreign $(...) is left alone.
class Names {
public:
    virtual ~Names() = default;
    virtual bool is_assigned(std::string_view name) const = 0;  // in the document so far
    virtual bool is_variable(std::string_view name) const = 0;  // the host's
    virtual bool is_function(std::string_view name) const = 0;  // the host's; built-in ones are known anyway
};

struct Parsed {
    std::string packed;      // empty on failure
    std::string error;       // what was wrong, "" if nothing; of a template also what was left as text
    bool constant = false;   // parse_template: no variable in it, `packed` is the text itself
    std::size_t length = 0;  // parse_interpolation: bytes of source consumed
};

// A whole expression, e.g. $(HTTP_COOKIE{group}) == 'a' & !$exists($(x)).
Parsed parse_expression(std::string_view source, const Names& names);

// Text with $(...) and $function(...) in it; values are escaped for `escape`. Anything that only looks like a
// variable stays.
Parsed parse_template(std::string_view source, Escape escape, const Names& names);

// One $(...) or $function(...) at the beginning of `source`, its value escaped for `escape`.
Parsed parse_interpolation(std::string_view source, Escape escape, const Names& names);

// Checks packed bytes of any origin; what it accepts is safe to evaluate. Adds what it reads to *reads, if
// not null.
bool valid_expression(std::string_view packed, Reads* reads = nullptr);

// The expression written out, fully parenthesised.
std::string expression_text(std::string_view packed);

// ---- serve time
// ---------------------------------------------------------------------------------------------------------

struct Value;
struct Pair;

// A value; text and items live in the evaluator's memory, in the plan, or in the environment.
struct Value {
    enum class Kind : std::uint8_t { undefined, boolean, integer, text, list, dictionary };

    Kind kind = Kind::undefined;
    Escape safe_for = Escape::none;
    std::int64_t integer = 0;  // boolean: 0 or 1
    std::string_view text;
    std::span<const Value> items;  // list
    std::span<const Pair> pairs;   // dictionary

    bool truthy() const;  // undefined, false, 0, "", empty list: false
};

struct Pair {
    std::string_view key;
    Value value;
};

Value text_value(std::string_view text, Escape safe_for = Escape::none);
Value integer_value(std::int64_t integer);
Value boolean_value(bool truth);
Value list_value(std::span<const Value> items);

// Variables assigned so far: newest first, never changed, so that a branch can keep the scope it began with.
struct Scope {
    std::string_view name;
    Value value;
    const Scope* outer;
};

class Evaluator {
public:
    // Both must outlive every value: values live in the budget's memory.
    Evaluator(Environment& environment, Budget& budget) : environment_(environment), budget_(budget) {}

    // Precondition: valid_expression(packed). `groups`, if not null, receives the list of groups when a
    // `matches` in the expression matched.
    Value evaluate(std::string_view packed, const Scope* scope, Value* groups = nullptr);

    // The value as text for output; lists and dictionaries are written like literals. Undefined is "".
    std::string_view text(const Value& value);

    // For functions: all of these give undefined (null, false) once the budget is spent.
    char* allocate(std::size_t size, std::size_t alignment = 1);
    bool spend(std::uint64_t work) { return budget_.spend(work); }
    bool spend_on(std::string_view text) { return spend(1 + text.size() / 32); }  // reading or writing it
    bool spend_on_items(std::size_t count) { return spend(1 + count / 8); }
    Value make_text(std::string_view text, Escape safe_for = Escape::none);
    Value make_list(std::span<const Value> items);
    Value escaped(Escape escape, std::string_view text);

private:
    class Run;
    Environment& environment_;
    Budget& budget_;
};

}  // namespace larder::esi
