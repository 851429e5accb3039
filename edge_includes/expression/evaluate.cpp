// Evaluates expressions directly from their packed bytes, within the budget.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>

#include "edge_includes/expression/expression.hpp"
#include "edge_includes/expression/expression_bytes.hpp"
#include "edge_includes/expression/functions.hpp"
#include "edge_includes/expression/pattern.hpp"
#include "edge_includes/expression/request_variables.hpp"
#include "edge_includes/text.hpp"

namespace larder::esi {

Value text_value(std::string_view text, Escape safe_for) {
    Value value;
    value.kind = Value::Kind::text;
    value.safe_for = safe_for;
    value.text = text;
    return value;
}

Value integer_value(std::int64_t integer) {
    Value value;
    value.kind = Value::Kind::integer;
    value.integer = integer;
    return value;
}

Value boolean_value(bool truth) {
    Value value;
    value.kind = Value::Kind::boolean;
    value.integer = truth;
    return value;
}

Value list_value(std::span<const Value> items) {
    Value value;
    value.kind = Value::Kind::list;
    value.items = items;
    return value;
}

bool Value::truthy() const {
    switch (kind) {
        case Kind::undefined:
            return false;
        case Kind::boolean:
        case Kind::integer:
            return integer != 0;
        case Kind::text:
            return !text.empty();
        case Kind::list:
            return !items.empty();
        case Kind::dictionary:
            return !pairs.empty();
    }
    return false;
}

char* Evaluator::allocate(std::size_t size, std::size_t alignment) {
    if (!budget_.memory().fits(size)) {
        budget_.note(Exceeded::memory);
        return nullptr;
    }
    return static_cast<char*>(budget_.memory().allocate(std::max<std::size_t>(size, 1), alignment));
}

Value Evaluator::make_text(std::string_view text, Escape safe_for) {
    char* copy = allocate(text.size());
    if (copy == nullptr) return {};
    std::copy(text.begin(), text.end(), copy);
    return text_value({copy, text.size()}, safe_for);
}

Value Evaluator::make_list(std::span<const Value> items) {
    char* room = allocate(items.size_bytes(), alignof(Value));
    if (room == nullptr) return {};
    auto* copy = reinterpret_cast<Value*>(room);
    std::uninitialized_copy(items.begin(), items.end(), copy);
    Value value;
    value.kind = Value::Kind::list;
    value.items = {copy, items.size()};
    return value;
}

namespace {

// Formats values as literals of expressions. Cuts long lists and dictionaries off, also when the budget is used up.
class LiteralWriter {
public:
    explicit LiteralWriter(Budget& budget) : budget_(budget) {}

    void write(const Value& value, unsigned depth = 8) {
        if (depth == 0) return append("...");
        switch (value.kind) {
            case Value::Kind::undefined:
                break;
            case Value::Kind::boolean:
                append(value.integer != 0 ? "true" : "false");
                break;
            case Value::Kind::integer:
                append(std::to_string(value.integer));
                break;
            case Value::Kind::text:
                append(value.text);
                break;
            case Value::Kind::list:
                append("[");
                for (std::size_t i = 0; i < value.items.size() && has_room(); ++i) {
                    if (i != 0) append(", ");
                    write_item(value.items[i], depth - 1);
                }
                append("]");
                break;
            case Value::Kind::dictionary:
                append("{");
                for (std::size_t i = 0; i < value.pairs.size() && has_room(); ++i) {
                    if (i != 0) append(", ");
                    write_quoted(value.pairs[i].key);
                    append(": ");
                    write_item(value.pairs[i].value, depth - 1);
                }
                append("}");
                break;
        }
    }
    const std::string& text() const { return text_; }

private:
    bool has_room() const { return text_.size() <= longest && !budget_.out_of_work() && budget_.expression_left() != 0; }

    void append(std::string_view text) {
        budget_.spend(1 + text.size() / 32);
        text_.append(text);
    }

    void write_item(const Value& value, unsigned depth) {
        if (value.kind == Value::Kind::text)
            write_quoted(value.text);
        else
            write(value, depth);
    }

    void write_quoted(std::string_view text) {
        budget_.spend(1 + text.size() / 32);
        text_ += '\'';
        for (char c : text) {
            if (c == '\'' || c == '\\') text_ += '\\';
            text_ += c;
        }
        text_ += '\'';
    }

    static constexpr std::size_t longest = 1 << 16;

    Budget& budget_;
    std::string text_;
};

}  // namespace

std::string_view Evaluator::text(const Value& value) {
    if (value.kind == Value::Kind::text) return value.text;
    if (value.kind == Value::Kind::undefined) return {};
    if (value.kind == Value::Kind::boolean) return value.integer != 0 ? "true" : "false";
    LiteralWriter writer(budget_);
    writer.write(value);
    if (budget_.out_of_work() || budget_.expression_left() == 0) return {};
    return make_text(writer.text()).text;
}

// One evaluation. The budget bounds its time, as every node costs work; valid_expression() has bounded its depth.
class Evaluator::Run {
public:
    Run(Evaluator& evaluator, const Scope* scope, Value* groups)
        : evaluator_(evaluator), scope_(scope), groups_(groups) {}

    Value node(NodeReader& reader) {
        if (lost_ || !evaluator_.budget_.spend(1)) return {};
        Node code = reader.node();
        switch (code) {
            case Node::text:
                return text_value(reader.sized());
            case Node::integer:
                return integer_value(reader.take<std::int64_t>());
            case Node::boolean:
                return boolean_value(reader.take<std::uint8_t>() != 0);
            case Node::variable:
                return variable(reader);
            case Node::call:
                return call(reader);
            case Node::host_call:
                return host_call(reader);
            case Node::list:
                return list(reader);
            case Node::dictionary:
                return dictionary(reader);
            case Node::range:
                return range(reader);
            case Node::concat:
                return concat(reader);
            case Node::escape:
                return escape(reader);
            case Node::negate:
                return boolean_value(!node(reader).truthy());
            case Node::both:
            case Node::either:
                return branch(reader, code);
            case Node::equal:
            case Node::unequal:
            case Node::less:
            case Node::less_equal:
            case Node::greater:
            case Node::greater_equal:
            case Node::matches:
            case Node::matches_any_case:
            case Node::has:
            case Node::has_any_case:
            case Node::add:
            case Node::subtract:
            case Node::multiply:
            case Node::divide:
            case Node::remainder: {
                Value left = node(reader);
                Value right = node(reader);
                return binary(code, left, right);
            }
        }
        return {};
    }

    bool lost() const { return lost_; }

private:
    Value whole(std::string_view packed) {
        NodeReader reader(packed);
        return node(reader);
    }

    Value branch(NodeReader& reader, Node code) {
        auto size = reader.take<std::uint32_t>();
        bool left = node(reader).truthy();
        std::string_view right = reader.bytes(size);
        if (left == (code == Node::either)) return boolean_value(left);
        return boolean_value(whole(right).truthy());
    }

    Value binary(Node code, const Value& left, const Value& right) {
        switch (code) {
            case Node::add:
                return add(left, right);
            case Node::subtract:
            case Node::multiply:
            case Node::divide:
            case Node::remainder:
                return arithmetic(code, left, right);
            default:
                return boolean_value(compare(code, left, right));
        }
    }

    // By ESI 1.0, a comparison with an undefined or empty operand is false; two numbers are compared as numbers, other
    // operands as strings.
    bool compare(Node code, const Value& left, const Value& right) {
        std::string_view a = evaluator_.text(left), b = evaluator_.text(right);
        if (a.empty() || b.empty()) return false;
        if (!evaluator_.spend_on(a) || !evaluator_.spend_on(b)) return false;
        switch (code) {
            case Node::has:
                return find_text(a, b) != std::string_view::npos;
            case Node::has_any_case:
                return find_any_case(a, b) != std::string_view::npos;
            case Node::matches:
            case Node::matches_any_case:
                return match(a, b, code == Node::matches_any_case);
            default:
                return ordered(code, a, b);
        }
    }

    static bool ordered(Node code, std::string_view a, std::string_view b) {
        if (auto x = integer_of(a), y = integer_of(b); x && y) return decide(code, *x, *y);
        if (auto x = decimal_of(a), y = decimal_of(b); x && y) return decide(code, *x, *y);
        return decide(code, a, b);
    }

    template <typename Operand>
    static bool decide(Node code, const Operand& a, const Operand& b) {
        switch (code) {
            case Node::equal:
                return !(a < b) && !(b < a);
            case Node::unequal:
                return a < b || b < a;
            case Node::less:
                return a < b;
            case Node::less_equal:
                return !(b < a);
            case Node::greater:
                return b < a;
            default:
                return !(a < b);
        }
    }

    bool match(std::string_view subject, std::string_view pattern, bool any_case) {
        std::array<std::string_view, max_groups> groups;
        Budget& budget = evaluator_.budget_;
        PatternWork work{budget.expression_left()};
        std::size_t count = match_pattern(pattern, any_case, subject, groups, work);
        if (!budget.spend(work.used) || count == 0) return false;
        if (groups_ != nullptr) {
            std::array<Value, max_groups> values;
            for (std::size_t i = 0; i < count; ++i) values[i] = text_value(groups[i]);
            *groups_ = evaluator_.make_list({values.data(), count});
        }
        return true;
    }

    // Integers add, lists join, everything else is concatenated as text.
    Value add(const Value& left, const Value& right) {
        if (left.kind == Value::Kind::integer && right.kind == Value::Kind::integer)
            return arithmetic(Node::add, left, right);
        if (left.kind == Value::Kind::list && right.kind == Value::Kind::list) return join(left, right);
        std::string_view a = evaluator_.text(left), b = evaluator_.text(right);
        return concatenated(std::array{a, b});
    }

    Value join(const Value& left, const Value& right) {
        std::size_t count = left.items.size() + right.items.size();
        if (!evaluator_.budget_.spend(count)) return {};
        char* room = evaluator_.allocate(count * sizeof(Value), alignof(Value));
        if (room == nullptr) return {};
        auto* items = reinterpret_cast<Value*>(room);
        std::uninitialized_copy(left.items.begin(), left.items.end(), items);
        std::uninitialized_copy(right.items.begin(), right.items.end(), items + left.items.size());
        return list_value({items, count});
    }

    std::optional<std::int64_t> integer(const Value& value) {
        if (value.kind == Value::Kind::integer) return value.integer;
        if (value.kind == Value::Kind::text) return integer_of(value.text);
        return std::nullopt;
    }

    // The result is undefined on overflow, on division by zero, and for operands that aren't integers.
    Value arithmetic(Node code, const Value& left, const Value& right) {
        auto a = integer(left), b = integer(right);
        std::int64_t result = 0;
        if (!a || !b) return {};
        switch (code) {
            case Node::add:
                return __builtin_add_overflow(*a, *b, &result) ? Value{} : integer_value(result);
            case Node::subtract:
                return __builtin_sub_overflow(*a, *b, &result) ? Value{} : integer_value(result);
            case Node::multiply:
                return __builtin_mul_overflow(*a, *b, &result) ? Value{} : integer_value(result);
            default:
                break;
        }
        if (*b == 0 || *b == -1) return *b == 0 ? Value{} : arithmetic_by_minus_one(code, *a);
        return integer_value(code == Node::divide ? *a / *b : *a % *b);
    }

    // INT64_MIN / -1 overflows and would raise SIGFPE.
    static Value arithmetic_by_minus_one(Node code, std::int64_t a) {
        std::int64_t result = 0;
        if (code == Node::remainder) return integer_value(0);
        return __builtin_sub_overflow(std::int64_t{0}, a, &result) ? Value{} : integer_value(result);
    }

    Value concatenated(std::span<const std::string_view> parts) {
        std::size_t size = 0;
        for (std::string_view part : parts) size += part.size();
        char* out = evaluator_.allocate(size);
        if (out == nullptr || !evaluator_.budget_.spend(1 + size / 64)) return {};
        std::string_view text(out, size);
        for (std::string_view part : parts) out = std::copy(part.begin(), part.end(), out);
        return text_value(text);
    }

    // Evaluates `count` operands into the page's memory. Empty when there is no memory left.
    std::span<Value> operands(NodeReader& reader, std::size_t count) {
        char* room = evaluator_.allocate(count * sizeof(Value), alignof(Value));
        if (room == nullptr) return lost_ = true, std::span<Value>{};
        auto* values = reinterpret_cast<Value*>(room);
        for (std::size_t i = 0; i < count; ++i) new (values + i) Value(node(reader));
        return {values, count};
    }

    Value list(NodeReader& reader) {
        std::span<Value> items = operands(reader, reader.take<std::uint16_t>());
        return lost_ ? Value{} : list_value(items);
    }

    Value dictionary(NodeReader& reader) {
        auto count = reader.take<std::uint16_t>();
        std::span<Value> values = operands(reader, 2u * count);
        char* room = evaluator_.allocate(count * sizeof(Pair), alignof(Pair));
        if (room == nullptr || values.size() != 2u * count) return {};
        auto* pairs = reinterpret_cast<Pair*>(room);
        for (std::size_t i = 0; i < count; ++i)
            new (pairs + i) Pair{evaluator_.text(values[2 * i]), values[2 * i + 1]};
        Value value;
        value.kind = Value::Kind::dictionary;
        value.pairs = {pairs, count};
        return value;
    }

    // [from..to], upwards or downwards, at most 1000 items.
    Value range(NodeReader& reader) {
        auto from = integer(node(reader)), to = integer(node(reader));
        if (!from || !to) return {};
        std::int64_t step = *from <= *to ? 1 : -1;
        std::int64_t distance = 0;
        if (__builtin_sub_overflow(*to, *from, &distance) || distance > 999 || distance < -999) return {};
        auto count = static_cast<std::size_t>(distance * step) + 1;
        char* room = evaluator_.allocate(count * sizeof(Value), alignof(Value));
        if (room == nullptr || !evaluator_.budget_.spend(count)) return {};
        auto* items = reinterpret_cast<Value*>(room);
        for (std::size_t i = 0; i < count; ++i)
            new (items + i) Value(integer_value(*from + step * static_cast<std::int64_t>(i)));
        return list_value({items, count});
    }

    Value concat(NodeReader& reader) {
        std::span<Value> values = operands(reader, reader.take<std::uint16_t>());
        char* room = evaluator_.allocate(values.size() * sizeof(std::string_view), alignof(std::string_view));
        if (room == nullptr) return {};
        auto* parts = reinterpret_cast<std::string_view*>(room);
        for (std::size_t i = 0; i < values.size(); ++i)
            new (parts + i) std::string_view(evaluator_.text(values[i]));
        return concatenated({parts, values.size()});
    }

    Value escape(NodeReader& reader) {
        auto wanted = static_cast<Escape>(reader.take<std::uint8_t>());
        Value value = node(reader);
        std::string_view text = evaluator_.text(value);
        if (value.safe_for == Escape::raw || value.safe_for == wanted)
            return text_value(text, value.safe_for);
        return evaluator_.escaped(wanted, text);
    }

    Value call(NodeReader& reader) {
        const Function& function = functions()[reader.take<std::uint8_t>()];
        std::array<Value, 16> arguments;
        std::size_t count = std::min<std::size_t>(reader.take<std::uint8_t>(), arguments.size());
        for (std::size_t i = 0; i < count; ++i) {
            arguments[i] = node(reader);
            if (!evaluator_.spend_on(arguments[i].text)) return {};
            if (!evaluator_.spend_on_items(arguments[i].items.size() + arguments[i].pairs.size())) return {};
        }
        FunctionCall call{evaluator_, evaluator_.environment_, {arguments.data(), count}};
        return function.run(call);
    }

    Value host_call(NodeReader& reader) {
        std::string_view name = reader.name();
        std::array<std::string_view, 16> arguments;
        std::size_t given = reader.take<std::uint8_t>();
        for (std::size_t i = 0; i < given; ++i) {
            Value value = node(reader);
            if (i < arguments.size()) arguments[i] = evaluator_.text(value);
        }
        if (!evaluator_.budget_.spend(host_call_cost)) return {};
        auto result =
            evaluator_.environment_.call(name, {arguments.data(), std::min(given, arguments.size())});
        return result ? evaluator_.make_text(result->text, result->safe_for) : Value{};
    }

    Value variable(NodeReader& reader) {
        auto which = static_cast<Variable>(reader.take<std::uint8_t>());
        std::string_view name = reader.name();
        std::string_view key_bytes = reader.sized();
        std::string_view default_bytes = reader.sized();
        Value key = key_bytes.empty() ? Value{} : whole(key_bytes);
        Value value = lookup(which, name, key, !key_bytes.empty());
        bool absent =
            value.kind == Value::Kind::undefined || (value.kind == Value::Kind::text && value.text.empty());
        return absent && !default_bytes.empty() ? whole(default_bytes) : value;
    }

    Value lookup(Variable which, std::string_view name, const Value& key, bool has_key) {
        if (which != Variable::named && which != Variable::of_host) {
            return request_variable(which, name, has_key ? std::optional(evaluator_.text(key)) : std::nullopt,
                                    evaluator_.environment_, evaluator_);
        }
        if (const Value* value = assigned(name)) return has_key ? item(*value, key) : *value;
        if (which == Variable::named) return {};
        auto text = evaluator_.environment_.variable(name, evaluator_.text(key));
        return text ? text_value(*text) : Value{};
    }

    // The newest value assigned to the name; null if there is none. A loop can assign many variables, so the search costs
    // work.
    const Value* assigned(std::string_view name) {
        for (const Scope* scope = scope_; scope != nullptr;) {
            for (unsigned i = 0; i < 8 && scope != nullptr; ++i, scope = scope->outer) {
                if (scope->name == name) return &scope->value;
            }
            if (!evaluator_.budget_.spend(1)) return nullptr;
        }
        return nullptr;
    }

    // A list's item by number (from 0, negative from the end), a dictionary's by key.
    Value item(const Value& value, const Value& key) {
        if (value.kind == Value::Kind::dictionary) {
            std::string_view wanted = evaluator_.text(key);
            for (const Pair& pair : value.pairs) {
                if (!evaluator_.budget_.spend(1)) return {};
                if (pair.key == wanted) return pair.value;
            }
            return {};
        }
        auto index = integer(key);
        auto size = static_cast<std::int64_t>(value.items.size());
        if (value.kind != Value::Kind::list || !index || *index >= size || *index < -size) return {};
        return value.items[static_cast<std::size_t>(*index < 0 ? *index + size : *index)];
    }

    static constexpr std::uint32_t host_call_cost = 100;

    Evaluator& evaluator_;
    const Scope* scope_;
    Value* groups_;
    bool lost_ =
        false;  // operands were skipped for lack of memory, so the reader is not at the beginning of a node
};

Value Evaluator::evaluate(std::string_view packed, const Scope* scope, Value* groups) {
    NodeReader reader(packed);
    Run run(*this, scope, groups);
    budget_.begin_expression();
    Value value = run.node(reader);
    return budget_.end_expression() && !run.lost() ? value : Value{};
}

Value Evaluator::escaped(Escape escape, std::string_view text) {
    if (!spend_on(text)) return {};
    std::size_t size = escaped_size(escape, text);
    if (size == text.size()) return text_value(text, escape);
    char* out = allocate(size);
    if (out == nullptr) return {};
    write_escaped(escape, text, out);
    return text_value({out, size}, escape);
}

}  // namespace larder::esi
