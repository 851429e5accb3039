// Expressions: tests of <esi:when>, values of <esi:assign>, and $(VAR{key}|default) in text and attributes.
//
// They are parsed once, at compile time, into packed bytes (in prefix order), from which they are evaluated at serve time.
// The page's budget bounds the work and the memory of an evaluation. docs/esi.md has syntax and semantics, which follow
// ESI 1.0 section 4.
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

// The names that exist. An expression with another name is invalid at compile time, so that $(...) of JavaScript, say,
// stays text.
class Names {
public:
    virtual ~Names() = default;
    virtual bool is_assigned(std::string_view name) const = 0;  // in the document so far
    virtual bool is_variable(std::string_view name) const = 0;  // the host's
    virtual bool is_function(std::string_view name) const = 0;  // the host's; built-in ones are known anyway
};

struct Parsed {
    std::string packed;      // empty on failure
    std::string error;       // what is wrong; empty if nothing. After parse_template() it may be set on success: why a '$' is text
    bool constant = false;   // parse_template(): the text has no variables, and `packed` is the text itself
    std::size_t length = 0;  // parse_interpolation: bytes of source consumed
};

// Parses a whole expression, such as $(HTTP_COOKIE{group}) == 'a' & !$exists($(x)).
Parsed parse_expression(std::string_view source, const Names& names);

// Parses a text with $(...) and $function(...) in it. Their values are escaped for `escape`. What is no valid variable or
// function stays text.
Parsed parse_template(std::string_view source, Escape escape, const Names& names);

// Parses one $(...) or $function(...) at the beginning of `source`. Its value is escaped for `escape`.
Parsed parse_interpolation(std::string_view source, Escape escape, const Names& names);

// Checks packed bytes, which may be hostile. Expressions that it accepts are safe to evaluate. Adds to *reads, if not
// null, what the expression depends on.
bool valid_expression(std::string_view packed, Reads* reads = nullptr);

// The expression as text, fully parenthesised, for people and tests.
std::string expression_text(std::string_view packed);

// ---- serve time
// ---------------------------------------------------------------------------------------------------------

struct Value;
struct Pair;

// A value. Its text, items and pairs are views into the page's memory, the plan or the environment.
struct Value {
    enum class Kind : std::uint8_t { undefined, boolean, integer, text, list, dictionary };

    Kind kind = Kind::undefined;
    Escape safe_for = Escape::none;
    std::int64_t integer = 0;  // integer; boolean: 0 or 1
    std::string_view text;
    std::span<const Value> items;  // list
    std::span<const Pair> pairs;   // dictionary

    bool truthy() const;  // false for undefined, false, 0, "", and empty lists and dictionaries
};

struct Pair {
    std::string_view key;
    Value value;
};

Value text_value(std::string_view text, Escape safe_for = Escape::none);
Value integer_value(std::int64_t integer);
Value boolean_value(bool truth);
Value list_value(std::span<const Value> items);

// The variables assigned so far, as a list with the newest first. Elements never change, so that a branch can keep the
// scope that it began with.
struct Scope {
    std::string_view name;
    Value value;
    const Scope* outer;
};

class Evaluator {
public:
    // Both must outlive all values, which are views into the budget's memory and the environment.
    Evaluator(Environment& environment, Budget& budget) : environment_(environment), budget_(budget) {}

    // Evaluates an expression. Precondition: valid_expression(packed). `groups`: if not null, receives the list of groups
    // when a `matches` in the expression matches.
    Value evaluate(std::string_view packed, const Scope* scope, Value* groups = nullptr);

    // The value as text: lists and dictionaries as literals, undefined as an empty text.
    std::string_view text(const Value& value);

    // For the built-in functions. When the budget is used up, these return undefined, null or false.
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
