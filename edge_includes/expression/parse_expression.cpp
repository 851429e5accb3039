// A recursive-descent parser from text to packed bytes, used at compile time only.
//
// Precedence as in ESI 1.0, lowest first:  |  &  !  comparison  + -  * / %  operand
#include <algorithm>
#include <utility>

#include "edge_includes/expression/expression.hpp"
#include "edge_includes/expression/expression_bytes.hpp"
#include "edge_includes/expression/functions.hpp"
#include "edge_includes/expression/request_variables.hpp"
#include "edge_includes/text.hpp"

namespace larder::esi {

namespace {

struct Builtin {
    std::string_view name;
    Variable variable;
    bool keys;  // may have a {key}
};

constexpr Builtin builtins[] = {
    {"HTTP_COOKIE", Variable::cookie, true},
    {"QUERY_STRING", Variable::query_string, true},
    {"HTTP_HOST", Variable::host, false},
    {"HTTP_ACCEPT_LANGUAGE", Variable::accept_language, true},
    {"HTTP_USER_AGENT", Variable::user_agent, true},
    {"REMOTE_ADDR", Variable::remote_address, false},
    {"REQUEST_METHOD", Variable::method, false},
    {"REQUEST_PATH", Variable::path, false},
    {"REQUEST_SCHEME", Variable::scheme, false},
};

std::string header_name(std::string_view variable) {
    std::string name;
    for (char c : variable.substr(5)) name += c == '_' ? '-' : lower(c);
    return name;
}

class Parser {
public:
    Parser(std::string_view source, const Names& names) : source_(source), names_(names) {}

    // Each parse function appends one node to `out`. After a failure the contents of `out` are meaningless. An operator
    // comes after its left operand, but its node before it: `from` is the position where the node is inserted.
    bool expression(std::string& out) {
        return nested([&] { return either(out); });
    }
    // An expression within text, where a '$' need not be ESI.
    bool interpolation(std::string& out) {
        may_be_foreign_ = true;
        return peek() == '$' ? operand(out) : fail("'$' expected");
    }

    bool end() {
        space();
        return at_ == source_.size() || fail("unexpected '" + std::string(source_.substr(at_, 12)) + "'");
    }
    std::size_t at() const { return at_; }
    const std::string& error() const { return error_; }

private:
    bool fail(std::string text) {
        if (error_.empty())
            error_ = std::move(text) + " at byte " + std::to_string(at_) + " of the expression";
        return false;
    }

    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
    }
    bool starts(std::string_view text) const { return source_.substr(at_, text.size()) == text; }

    void space() {
        while (at_ < source_.size() && is_space(source_[at_])) ++at_;
    }
    bool accept(std::string_view text) {
        space();
        if (!starts(text)) return false;
        at_ += text.size();
        return true;
    }
    bool accept_word(std::string_view word) {
        space();
        if (!starts(word) || is_name(peek(word.size()))) return false;
        at_ += word.size();
        return true;
    }
    bool require(std::string_view text) {
        return accept(text) || fail("'" + std::string(text) + "' expected");
    }

    template <typename Parse>
    bool nested(Parse parse) {
        if (depth_ == 0) return fail("nested too deeply");
        --depth_;
        bool ok = parse();
        ++depth_;
        return ok;
    }

    static void code(std::string& out, Node node) { put(out, static_cast<std::uint8_t>(node)); }
    static void sized(std::string& out, std::string_view bytes) {
        put(out, static_cast<std::uint32_t>(bytes.size()));
        out += bytes;
    }

    // Operators are left-associative, so each operator in a row makes the tree one node deeper. Rows that could exceed the
    // evaluator's depth are refused.
    template <typename Parse>
    bool operand_of_chain(std::string& out, unsigned& links, Parse parse) {
        if (++links > expression_max_depth / 2) return fail("too many operators in a row: use parentheses");
        return parse(out);
    }

    bool branch(std::string& out, Node node, std::string_view once, std::string_view twice,
                bool (Parser::*next)(std::string&)) {
        unsigned links = 0;
        std::size_t from = out.size();
        if (!(this->*next)(out)) return false;
        while (accept(twice) || accept(once)) {
            std::string right;
            if (!operand_of_chain(right, links, [&](std::string& to) { return (this->*next)(to); }))
                return false;
            std::string head;
            code(head, node);
            put(head, static_cast<std::uint32_t>(right.size()));
            out.insert(from, head) += right;
        }
        return true;
    }

    bool either(std::string& out) { return branch(out, Node::either, "|", "||", &Parser::both); }
    bool both(std::string& out) { return branch(out, Node::both, "&", "&&", &Parser::negation); }

    bool negation(std::string& out) {
        space();
        if (peek() != '!' || peek(1) == '=') return comparison(out);
        ++at_;
        code(out, Node::negate);
        return nested([&] { return negation(out); });
    }

    bool comparison_operator(Node& node) {
        struct Operator {
            std::string_view text;
            Node node;
        };
        static constexpr Operator signs[] = {{"==", Node::equal},      {"!=", Node::unequal},
                                             {"<=", Node::less_equal}, {">=", Node::greater_equal},
                                             {"<", Node::less},        {">", Node::greater}};
        static constexpr Operator words[] = {{"matches_i", Node::matches_any_case},
                                             {"matches", Node::matches},
                                             {"has_i", Node::has_any_case},
                                             {"has", Node::has}};
        for (const Operator& sign : signs) {
            if (accept(sign.text)) return node = sign.node, true;
        }
        for (const Operator& word : words) {
            if (accept_word(word.text)) return node = word.node, true;
        }
        return false;
    }

    bool comparison(std::string& out) {
        std::size_t from = out.size();
        if (!sum(out)) return false;
        Node node{};
        if (!comparison_operator(node)) return true;
        std::string right;
        if (!sum(right)) return false;
        wrap(out, from, node, right);
        return !comparison_operator(node) || fail("comparisons do not chain: use parentheses");
    }

    static void wrap(std::string& out, std::size_t from, Node node, const std::string& right) {
        out.insert(from, 1, static_cast<char>(node)) += right;
    }

    bool sum(std::string& out) {
        unsigned links = 0;
        std::size_t from = out.size();
        if (!product(out)) return false;
        for (;;) {
            Node node = accept("+") ? Node::add : accept("-") ? Node::subtract : Node{};
            if (node == Node{}) return true;
            std::string right;
            if (!operand_of_chain(right, links, [&](std::string& to) { return product(to); })) return false;
            wrap(out, from, node, right);
        }
    }

    bool product(std::string& out) {
        unsigned links = 0;
        std::size_t from = out.size();
        if (!operand(out)) return false;
        for (;;) {
            Node node = accept("*")   ? Node::multiply
                        : accept("/") ? Node::divide
                        : accept("%") ? Node::remainder
                                      : Node{};
            if (node == Node{}) return true;
            std::string right;
            if (!operand_of_chain(right, links, [&](std::string& to) { return operand(to); })) return false;
            wrap(out, from, node, right);
        }
    }

    bool operand(std::string& out) {
        space();
        char c = peek();
        if (c == '$') return nested([&] { return peek(1) == '(' ? variable(out) : call(out); });
        if (c == '\'' || c == '"') return string(out);
        if (c == '(') return ++at_, expression(out) && require(")");
        if (c == '[') return nested([&] { return list(out); });
        if (c == '{') return nested([&] { return dictionary(out); });
        if (c == '-' || (c >= '0' && c <= '9')) return number(out);
        if (accept_word("true")) return boolean(out, 1);
        if (accept_word("false")) return boolean(out, 0);
        return fail("a value expected: $(NAME), $function(...), 'text', a number, a list or parentheses");
    }

    static bool boolean(std::string& out, std::uint8_t value) {
        code(out, Node::boolean);
        put(out, value);
        return true;
    }

    // An integer, or a decimal fraction. Fractions are stored as text: comparisons treat it as a number, arithmetic is for
    // integers only.
    bool number(std::string& out) {
        std::size_t from = at_;
        if (peek() == '-') ++at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        if (peek() == '.' && peek(1) >= '0' && peek(1) <= '9') {
            for (++at_; peek() >= '0' && peek() <= '9';) ++at_;
            return text(out, source_.substr(from, at_ - from));
        }
        std::optional<std::int64_t> value = integer_of(source_.substr(from, at_ - from));
        if (!value) return fail("not an integer of 64 bits");
        code(out, Node::integer);
        put(out, *value);
        return true;
    }

    static bool text(std::string& out, std::string_view bytes) {
        code(out, Node::text);
        sized(out, bytes);
        return true;
    }

    // 'text' and "text" may contain $(NAME), and \' \" \\ as escapes; other backslashes stay, for regular expressions.
    // '''text''' has neither.
    bool string(std::string& out) {
        if (starts("'''")) {
            std::size_t close = source_.find("'''", at_ + 3);
            if (close == std::string_view::npos) return fail("''' is not closed");
            std::string_view bytes = source_.substr(at_ + 3, close - at_ - 3);
            at_ = close + 3;
            return text(out, bytes);
        }
        char quote = source_[at_++];
        std::string bytes, parts;
        std::uint16_t count = 0;
        while (at_ < source_.size() && source_[at_] != quote) {
            std::string value;
            if (starts("$(") && count < 1000 && variable_in_string(value)) {
                if (!bytes.empty()) text(parts, std::exchange(bytes, {})), ++count;
                parts += value;
                ++count;
                continue;
            }
            if (source_[at_] == '\\' && (peek(1) == quote || peek(1) == '\\')) ++at_;
            bytes += source_[at_++];
        }
        if (at_ == source_.size()) return fail("a string is not closed");
        ++at_;
        if (parts.empty()) return text(out, bytes);
        if (!bytes.empty()) text(parts, bytes), ++count;
        code(out, Node::concat);
        put(out, count);
        out += parts;
        return true;
    }

    // Parses $(...) within a string. Returns false, without reading anything, if it is no variable but text. To bound what
    // is scanned twice, strings inside it must not contain variables, and after 32 failures all further '$' are text.
    bool variable_in_string(std::string& out) {
        if (foreign_left_ == 0) return false;
        Parser inner(source_.substr(at_), names_);
        inner.depth_ = depth_;
        inner.foreign_left_ = 0;
        if (!inner.nested([&] { return inner.interpolation(out); })) return --foreign_left_, false;
        at_ += inner.at_;
        return true;
    }

    bool list(std::string& out) {
        ++at_;
        std::string items;
        std::uint16_t count = 0;
        while (!accept("]")) {
            if (count > 0 && !require(",")) return false;
            if (!expression(items)) return false;
            ++count;
            if (count == 1 && accept("..")) {
                code(out, Node::range);
                out += items;
                return expression(out) && require("]");
            }
            if (count > 1000) return fail("more than 1000 items");
        }
        code(out, Node::list);
        put(out, count);
        out += items;
        return true;
    }

    bool dictionary(std::string& out) {
        ++at_;
        std::string items;
        std::uint16_t count = 0;
        while (!accept("}")) {
            if (count > 0 && !require(",")) return false;
            if (!expression(items) || !require(":") || !expression(items)) return false;
            if (++count > 1000) return fail("more than 1000 items");
        }
        code(out, Node::dictionary);
        put(out, count);
        out += items;
        return true;
    }

    std::string_view identifier() {
        std::size_t from = at_;
        if (is_name_start(peek())) {
            while (is_name(peek())) ++at_;
        }
        return source_.substr(from, at_ - from);
    }

    bool call(std::string& out) {
        ++at_;
        may_be_foreign_ = false;
        std::string name(identifier());
        if (name.empty() || peek() != '(') return fail("'$' begins neither $(NAME) nor $function(...)");
        if (name.size() > 64) return fail("a name of more than 64 bytes");
        ++at_;
        std::string arguments;
        std::uint8_t count = 0;
        while (!accept(")")) {
            if (count > 0 && !require(",")) return false;
            if (!expression(arguments)) return false;
            if (++count > 16) return fail("more than 16 arguments");
        }
        int index = function_index(name);
        if (index < 0 && !names_.is_function(name)) return fail("no function '" + name + "'");
        if (index < 0) {
            code(out, Node::host_call);
            put(out, static_cast<std::uint8_t>(name.size()));
            out += name;
        } else {
            const Function& function = functions()[static_cast<std::size_t>(index)];
            if (count < function.least || count > function.most) {
                return fail("$" + name + " takes " + std::to_string(function.least) + " to " +
                            std::to_string(function.most) + " arguments");
            }
            code(out, Node::call);
            put(out, static_cast<std::uint8_t>(index));
        }
        put(out, count);
        out += arguments;
        return true;
    }

    bool variable(std::string& out) {
        at_ += 2;
        std::string name(identifier());
        if (name.empty()) return fail("a variable's name expected");
        if (name.size() > 64) return fail("a name of more than 64 bytes");
        Variable which = Variable::named;
        bool keys = true;
        bool may_be_foreign = std::exchange(may_be_foreign_, false);
        if (!resolve(name, which, keys) && may_be_foreign && !is_esi_name(name)) return fail("no variable '" + name + "'");
        std::string key_bytes, default_bytes;
        if (peek() == '{') {
            if (!keys) return fail(name + " has no {key}");
            if (!key(key_bytes)) return false;
        }
        if (peek() == '|' && !fallback(default_bytes)) return false;
        if (peek() != ')') return fail("')' expected");
        ++at_;
        code(out, Node::variable);
        put(out, static_cast<std::uint8_t>(which));
        put(out, static_cast<std::uint8_t>(name.size()));
        out += name;
        sized(out, key_bytes);
        sized(out, default_bytes);
        return true;
    }

    // Finds out which variable `name` is. On return `name` is what the evaluator needs: a header's name, an assigned name,
    // or nothing. Returns false for an unknown name.
    bool resolve(std::string& name, Variable& which, bool& keys) const {
        for (const Builtin& builtin : builtins) {
            if (name == builtin.name) {
                which = builtin.variable;
                keys = builtin.keys;
                name.clear();
                return true;
            }
        }
        if (name.starts_with("HTTP_") && name.size() > 5) {
            name = header_name(name);
            which = is_readable_header(name) ? Variable::header : Variable::denied;
            keys = false;
            return true;
        }
        if (names_.is_variable(name)) which = Variable::of_host;
        return which == Variable::of_host || names_.is_assigned(name);
    }

    // {bare}, {'text'} or {expression}
    bool key(std::string& out) {
        ++at_;
        space();
        if (peek() == '\'' || peek() == '"' || peek() == '$') return expression(out) && require("}");
        std::size_t close = source_.find_first_of("}()<>'\"$", at_);
        if (close == std::string_view::npos || source_[close] != '}') return fail("'}' expected");
        std::string_view bare = trim(source_.substr(at_, close - at_));
        if (bare.empty()) return fail("an empty {key}");
        at_ = close + 1;
        return text(out, bare);
    }

    // |bare, |'text', |$(OTHER)
    bool fallback(std::string& out) {
        ++at_;
        if (peek() == '\'' || peek() == '"') return string(out);
        if (peek() == '$') return operand(out);
        std::size_t close = source_.find_first_of(")('\"<> \t\r\n", at_);
        if (close == std::string_view::npos || source_[close] != ')')
            return fail("a default with spaces or quotes must be quoted");
        std::string_view bare = source_.substr(at_, close - at_);
        at_ = close;
        return text(out, bare);
    }

    // The names of ESI's variables have no lower-case letters. $(document), say, belongs to a script.
    static bool is_esi_name(std::string_view name) {
        return std::all_of(name.begin(), name.end(), [](char c) { return c < 'a' || c > 'z'; });
    }

    std::string_view source_;
    const Names& names_;
    std::size_t at_ = 0;
    unsigned foreign_left_ = 32;   // how many more '$(' in strings may turn out to be text
    bool may_be_foreign_ = false;  // an unknown name means that this is not ESI; otherwise its value is undefined
    unsigned depth_ = expression_max_depth / 3;  // one level of the grammar makes several levels of nodes
    std::string error_;
};

std::string with_escape(Escape escape, const std::string& node) {
    std::string out;
    put(out, static_cast<std::uint8_t>(Node::escape));
    put(out, static_cast<std::uint8_t>(escape));
    return out + node;
}

std::string text_node(std::string_view text) {
    std::string out;
    put(out, static_cast<std::uint8_t>(Node::text));
    put(out, static_cast<std::uint32_t>(text.size()));
    return out += text;
}

Parsed failure(std::string error) {
    Parsed parsed;
    parsed.error = std::move(error);
    return parsed;
}

Parsed checked(Parsed parsed) {
    if (!valid_expression(parsed.packed)) return failure("an expression too large or nested too deeply");
    return parsed;
}

// After a '?', $(QUERY_STRING) inserts the whole query, which is percent-encoded already.
constexpr std::string_view whole_query_variable = "$(QUERY_STRING)";

}  // namespace

Parsed parse_expression(std::string_view source, const Names& names) {
    Parser parser(source, names);
    Parsed parsed;
    if (!parser.expression(parsed.packed) || !parser.end()) return failure(parser.error());
    parsed.length = source.size();
    return checked(std::move(parsed));
}

Parsed parse_interpolation(std::string_view source, Escape escape, const Names& names) {
    Parser parser(source, names);
    std::string node;
    if (!parser.interpolation(node)) return failure(parser.error());
    Parsed parsed;
    parsed.packed = with_escape(escape, node);
    parsed.length = parser.at();
    return checked(std::move(parsed));
}

Parsed parse_template(std::string_view source, Escape escape, const Names& names) {
    std::string parts, literal, warning;
    std::uint16_t count = 0;
    bool variable = false, in_query = false;
    auto flush = [&] {
        if (literal.empty()) return;
        parts += text_node(literal);
        literal.clear();
        ++count;
    };
    for (std::size_t at = 0; at < source.size();) {
        Parsed part;
        if (source[at] == '$') {
            std::string_view rest = source.substr(at);
            bool whole_query = escape == Escape::url && in_query && rest.starts_with(whole_query_variable);
            part = parse_interpolation(rest, whole_query ? Escape::raw : escape, names);
            if (warning.empty()) warning = part.error;
        }
        if (part.packed.empty()) {
            in_query |= source[at] == '?';
            literal += source[at++];
            continue;
        }
        flush();
        variable = true;
        parts += part.packed;
        at += part.length;
        if (++count > 1000) return failure("more than 1000 variables");
    }
    Parsed parsed;
    parsed.length = source.size();
    parsed.error = std::move(warning);
    if (!variable) {
        parsed.constant = true;
        parsed.packed = source;
        return parsed;
    }
    flush();
    put(parsed.packed, static_cast<std::uint8_t>(Node::concat));
    put(parsed.packed, count);
    parsed.packed += parts;
    return checked(std::move(parsed));
}

}  // namespace larder::esi
