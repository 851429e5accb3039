// Turns tokens into a draft of operations (plan/draft.hpp), and the draft into a plan.
//
// An element that turns out to be wrong (not closed, or without a mandatory part) is demoted: its tags become text again,
// and its content stays where it is. Because the draft is flat, that changes the operations of the tags only.
#include "edge_includes/compile.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "edge_includes/plan/draft.hpp"
#include "edge_includes/expression/expression.hpp"
#include "edge_includes/scanner.hpp"
#include "edge_includes/tags.hpp"
#include "edge_includes/text.hpp"

namespace larder::esi {

namespace {

constexpr std::size_t longest_assign_body = 4096;

struct Open {
    Element element;
    std::uint32_t op;
    Range tag;
    std::uint32_t line;
    // Sizes of the compiler's lists before the element, for truncate().
    std::size_t details, inlines, reports;
    std::uint32_t includes;
    std::uint32_t rejected;         // State::rejected[element] when it was opened
    Token stray{};                  // the first text between the branches of a choose or try, if any
    unsigned branches[2] = {0, 0};  // number of: when and otherwise, or attempt and except
};

bool is_on(const std::string& value) {
    return value == "on" || value == "yes" || value == "true" || value == "1";
}
bool is_off(const std::string& value) {
    return value == "off" || value == "no" || value == "false" || value == "0";
}

bool is_identifier(std::string_view name) {
    return !name.empty() && name.size() <= 64 && is_name_start(name[0]) &&
           std::all_of(name.begin(), name.end(), is_name);
}

bool is_reserved(std::string_view name) {
    return name.starts_with("HTTP_") || name.starts_with("REQUEST_") || name == "QUERY_STRING" ||
           name == "REMOTE_ADDR";
}

// A printable excerpt of the text, for reports.
std::string shown(std::string_view text) {
    std::string out(text.substr(0, 60));
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
    }
    return text.size() > 60 ? out + "..." : out;
}

constexpr std::size_t step_bytes = 4096;

}  // namespace

struct Compiler::State : TokenSink, Names {
    explicit State(CompileOptions chosen) : options(chosen), scanner(*this, options.limits.tag_bytes) {
        options.limits.document_bytes = std::min<std::size_t>(options.limits.document_bytes, UINT32_MAX);
        options.limits.depth = std::min(options.limits.depth, plan_max_depth / 2);
    }

    bool is_assigned(std::string_view name) const override {
        return name == "MATCHES" || assigned.contains(std::string(name));
    }
    bool is_variable(std::string_view name) const override { return listed(options.host_variables, name); }
    bool is_function(std::string_view name) const override { return listed(options.host_functions, name); }

    static bool listed(std::span<const std::string_view> names, std::string_view name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    }

    // ---- tokens

    void token(const Token& token) override {
        here = token;
        if (token.kind != Token::Kind::text) ++tags, tag_bytes += token.raw.size();
        Range range{token.offset, token.raw.size()};
        if (capturing && capture.size() <= longest_assign_body)
            capture.append(token.raw.substr(0, longest_assign_body + 1));
        switch (token.kind) {
            case Token::Kind::text:
                text(range, token.raw);
                break;
            case Token::Kind::open:
                open_tag(range, token.raw);
                break;
            case Token::Kind::close:
                close_tag(range, token.raw);
                break;
            case Token::Kind::interpolation:
                interpolation(range, token.raw);
                break;
            case Token::Kind::begin_esi:
                begin_comment(Element::esi_comment, range);
                break;
            case Token::Kind::begin_comment:
                begin_comment(Element::html_comment, range);
                break;
            case Token::Kind::end_comment:
                end_comment(range);
                break;
            case Token::Kind::begin_script:
            case Token::Kind::end_script:
                if (!is_open(Element::html_comment)) in_script = token.kind == Token::Kind::begin_script;
                literal(range);
                break;
            case Token::Kind::broken:
                report("the tag '" + shown(token.raw) +
                       "' does not end: '>' expected, with every quote closed and within " +
                       std::to_string(options.limits.tag_bytes) + " bytes");
                literal(range);
                break;
        }
        wants_interpolation = is_open(Element::vars) && !is_open(Element::text);
        wants_end_comment = is_open(Element::esi_comment) || is_open(Element::html_comment);
    }

    void text(Range range, std::string_view raw) {
        literal(range);
        if (stack.empty()) return;
        Open& top = stack.back();
        bool between_branches = top.element == Element::choose || top.element == Element::try_;
        if (!between_branches || top.stray.line != 0 || trim(raw).empty()) return;
        auto begin = std::find_if_not(raw.begin(), raw.end(), is_space);
        top.stray = here;
        top.stray.offset += static_cast<std::uint64_t>(begin - raw.begin());
        top.stray.line += static_cast<std::uint32_t>(std::count(raw.begin(), begin, '\n'));
    }

    void interpolation(Range range, std::string_view raw) {
        Escape escape = in_script || options.syntax == Syntax::json ? Escape::json : Escape::html;
        Parsed parsed = parse_interpolation(raw, escape, *this);
        if (parsed.packed.empty() || parsed.length != raw.size()) {
            report("'" + shown(raw) +
                   "' stays as text: " + (parsed.error.empty() ? "not an expression" : parsed.error));
            return literal(range);
        }
        if (full(range)) return;
        Detail detail;
        detail.first = std::move(parsed);
        add(OpKind::emit, range, std::move(detail));
    }

    void begin_comment(Element element, Range range) {
        if (is_open(Element::html_comment) || deep() || ops.size() >= options.limits.ops)
            return literal(range);
        push(element, group, range, {});
    }

    void end_comment(Range range) {
        std::size_t at = stack.size();
        while (at > 0 && stack[at - 1].element != Element::esi_comment &&
               stack[at - 1].element != Element::html_comment)
            --at;
        if (at > 0) close(at - 1, range);
    }

    void open_tag(Range range, std::string_view raw) {
        Tag tag = parse_tag(raw);
        if (!tag.error.empty()) return reject(range, tag, tag.error);
        if (!open_element(range, tag)) return;
        if (tag.empty && !stack.empty() && stack.back().tag.offset == range.offset)
            close(stack.size() - 1, {range.end(), 0});
    }

    void close_tag(Range range, std::string_view raw) {
        Tag tag = parse_tag(raw);
        auto kind = static_cast<std::size_t>(tag.element);
        if (!tag.error.empty()) return reject(range, tag, tag.error);
        std::size_t at = stack.size();
        while (at > 0 && stack[at - 1].element != tag.element) --at;
        if (at > 0 && stack[at - 1].rejected == rejected[kind]) return close(at - 1, range);
        if (rejected[kind] > 0) {
            --rejected[kind];
        } else {
            report("</esi:" + shown(tag.name) + "> closes nothing");
        }
        literal(range);
    }

    // ---- opening

    // Treats the tag as text, and later its closing tag as well.
    void reject(Range range, const Tag& tag, const std::string& why) {
        report("<esi:" + shown(tag.name) + "> stays as text: " + why);
        if (!tag.empty) ++rejected[static_cast<std::size_t>(tag.element)];
        literal(range);
    }

    // Opens the element, if it is legal here. Returns false if not; the tag is then text. An accepted element is on the
    // stack, unless it has no body.
    bool open_element(Range range, const Tag& tag) {
        std::string why;
        bool accepted = false;
        if (deep()) {
            why = "more than " + std::to_string(options.limits.depth) + " elements inside each other";
        } else if (ops.size() >= options.limits.ops) {
            why = "more than " + std::to_string(options.limits.ops) + " operations in the page";
        } else {
            accepted = start(range, tag, why);
        }
        if (!accepted) reject(range, tag, why);
        return accepted;
    }

    bool start(Range range, const Tag& tag, std::string& why) {
        switch (tag.element) {
            case Element::include:
            case Element::eval:
                return start_include(range, tag, why);
            case Element::remove:
                return start_plain(range, tag, {});
            case Element::comment:
                return start_plain(range, tag, {"text"});
            case Element::text:
                return start_plain(range, tag, {});
            case Element::choose:
                return start_branches(range, tag, OpKind::choose);
            case Element::try_:
                return start_branches(range, tag, OpKind::attempt_all);
            case Element::vars:
                return start_vars(range, tag, why);
            case Element::when:
                return start_when(range, tag, why);
            case Element::otherwise:
                return start_branch(range, tag, Element::choose, OpKind::otherwise, 1, why);
            case Element::attempt:
                return start_branch(range, tag, Element::try_, OpKind::attempt, 0, why);
            case Element::except:
                return start_except(range, tag, why);
            case Element::inline_:
                return start_inline(range, tag, why);
            case Element::assign:
                return start_assign(range, tag, why);
            case Element::foreach:
                return start_foreach(range, tag, why);
            case Element::break_:
                return start_break(range, tag, why);
            case Element::unknown:
            case Element::esi_comment:
            case Element::html_comment:
            case Element::count_:
                break;
        }
        return why = "no such element", false;
    }

    void note_unknown(const Tag& tag, std::initializer_list<std::string_view> known) {
        for (std::size_t i = 0; i < tag.count; ++i) {
            if (std::find(known.begin(), known.end(), tag.attributes[i].name) != known.end()) continue;
            report("<esi:" + std::string(tag.name) + "> has no attribute '" + shown(tag.attributes[i].name) +
                   "': ignored");
        }
        if (!tag.repeated.empty())
            report("<esi:" + std::string(tag.name) + "> has attribute '" + shown(tag.repeated) + "' twice: the first one counts");
    }

    bool start_plain(Range range, const Tag& tag, std::initializer_list<std::string_view> attributes) {
        note_unknown(tag, attributes);
        push(tag.element, group, range, {});
        return true;
    }

    bool start_branches(Range range, const Tag& tag, OpKind kind) {
        note_unknown(tag, {});
        push(tag.element, kind, range, {});
        return true;
    }

    // <esi:vars>...$(X)...</esi:vars>, or <esi:vars name="$(X)"/>
    bool start_vars(Range range, const Tag& tag, std::string& why) {
        note_unknown(tag, {"name"});
        const std::string* name = tag.attribute("name");
        if (name == nullptr) return push(Element::vars, group, range, {}), true;
        Escape escape = in_script || options.syntax == Syntax::json ? Escape::json : Escape::html;
        Detail detail;
        detail.first = parse_interpolation(*name, escape, *this);
        if (detail.first.packed.empty() || detail.first.length != name->size())
            return why = "name: " + detail.first.error, false;
        if (!tag.empty) return why = "with a name it must be empty: <esi:vars name=\"$(X)\"/>", false;
        add(OpKind::emit, range, std::move(detail));
        return true;
    }

    static bool is_include(Element element) {
        return element == Element::include || element == Element::eval;
    }

    bool start_include(Range range, const Tag& tag, std::string& why) {
        note_unknown(tag, {"src", "alt", "onerror", "maxwait", "ttl", "no-store", "dca", "late"});
        const std::string* src = tag.attribute("src");
        bool leads_somewhere = src != nullptr && !trim(*src).empty();
        if (!leads_somewhere) report("<esi:" + std::string(tag.name) + "> fails: it needs src=\"URL\"");
        if (includes >= options.limits.includes) {
            return why = "more than " + std::to_string(options.limits.includes) + " includes in the page",
                   false;
        }
        Detail detail;
        // An include without a URL gets "#", whose resolution fails at serve time. So it is handled like any failed
        // include, with its onerror and fallback.
        if (!url(leads_somewhere ? std::string_view(*src) : "#", detail.first, why)) return false;
        if (const std::string* alt = tag.attribute("alt"); alt != nullptr && !trim(*alt).empty()) {
            detail.has_second = true;
            if (!url(*alt, detail.second, why)) return false;
        }
        include_attributes(tag, detail.attributes);
        if (tag.element == Element::eval) detail.attributes.process = true;
        push(tag.element, OpKind::include, range, std::move(detail));
        ++includes;
        return true;
    }

    bool url(std::string_view text, Parsed& out, std::string& why) {
        out = parse_template(trim(text), Escape::url, *this);
        if (out.packed.empty()) return why = out.error, false;
        if (!out.error.empty()) report("in a URL '$' stays as text: " + out.error);
        return true;
    }

    void include_attributes(const Tag& tag, IncludeAttributes& out) {
        auto wrong = [&](std::string_view name, const std::string& value, const char* legal) {
            report(std::string(name) + "=\"" + shown(value) + "\" is ignored: " + legal);
        };
        for (std::size_t i = 0; i < tag.count; ++i) {
            const auto& [name, value] = tag.attributes[i];
            if (name == "onerror") {
                out.continue_on_error = value == "continue";
                if (!out.continue_on_error) wrong(name, value, "only \"continue\" is legal");
            } else if (name == "no-store") {
                out.no_store = is_on(value);
                if (!is_on(value) && !is_off(value)) wrong(name, value, "\"on\" or \"off\" is legal");
            } else if (name == "dca") {
                out.process = value == "esi";
                if (value != "esi" && value != "none") wrong(name, value, "\"esi\" or \"none\" is legal");
            } else if (name == "late") {
                out.late_client = value == "client";
                if (value != "client") wrong(name, value, "only \"client\" is legal");
            } else if (name == "maxwait" || name == "ttl") {
                bool wait = name == "maxwait";
                auto duration = duration_ms(value, wait ? 1 : 1000);
                if (!duration)
                    wrong(name, value, "a number with ms, s, m, h or d is legal, up to 24 days");
                else if (wait)
                    out.maxwait_ms = *duration;
                else
                    out.ttl_s = *duration / 1000;
            }
        }
    }

    bool inside(Element parent, std::string& why) const {
        if (!stack.empty() && stack.back().element == parent) return true;
        why = "it may only stand directly inside <esi:" + std::string(element_name(parent)) + ">";
        return false;
    }

    // `sort`: index into Open::branches. There may be many `when` and `except`, and one `otherwise` and `attempt`.
    bool start_branch(Range range, const Tag& tag, Element parent, OpKind kind, int sort, std::string& why,
                      Detail detail = {}, std::uint16_t code = 0) {
        if (!inside(parent, why)) return false;
        bool single = kind == OpKind::otherwise || kind == OpKind::attempt;
        unsigned& count = stack.back().branches[sort];
        if (single && count > 0) return why = "there is one already", false;
        ++count;
        push(tag.element, kind, range, std::move(detail));
        ops.back().code = code;
        return true;
    }

    // A test that is no valid expression counts as false, as ESI 1.0 says of tests that can't be evaluated.
    bool start_when(Range range, const Tag& tag, std::string& why) {
        note_unknown(tag, {"test", "matchname"});
        const std::string* test = tag.attribute("test");
        const std::string* matchname = tag.attribute("matchname");
        if (test == nullptr) return why = "it needs test=\"expression\"", false;
        Detail detail;
        detail.name = matchname != nullptr ? *matchname : "MATCHES";
        if (!may_assign(detail.name, why)) return false;
        detail.first = parse_expression(*test, *this);
        if (detail.first.packed.empty()) {
            report("the test '" + shown(*test) + "' counts as false: " + detail.first.error);
            detail.first = parse_expression("false", *this);
        }
        if (!start_branch(range, tag, Element::choose, OpKind::when, 0, why, detail)) return false;
        assigned.insert(detail.name);
        return true;
    }

    bool start_except(Range range, const Tag& tag, std::string& why) {
        note_unknown(tag, {"code"});
        std::uint16_t code = 0;
        if (const std::string* value = tag.attribute("code")) {
            bool whole_class = value->size() == 3 && value->ends_with("xx");
            auto number = integer_of(whole_class ? value->substr(0, 1) : *value);
            bool legal =
                number && (whole_class ? *number >= 1 && *number <= 5 : *number >= 100 && *number <= 599);
            if (!legal) return why = "code: a status (404) or a class of them (5xx) expected", false;
            code = static_cast<std::uint16_t>(*number);
        }
        return start_branch(range, tag, Element::try_, OpKind::except, 1, why, {}, code);
    }

    bool start_inline(Range range, const Tag& tag, std::string& why) {
        note_unknown(tag, {"name", "fetchable"});
        const std::string* name = tag.attribute("name");
        const std::string* fetchable = tag.attribute("fetchable");
        if (name == nullptr || trim(*name).empty()) return why = "it needs name=\"URL\"", false;
        if (fetchable != nullptr && !is_on(*fetchable) && !is_off(*fetchable))
            return why = "fetchable: yes or no expected", false;
        push(Element::inline_, group, range, {});
        inlines.push_back({std::string(trim(*name)), {}, fetchable != nullptr && is_on(*fetchable)});
        return true;
    }

    bool may_assign(std::string_view name, std::string& why) const {
        if (!is_identifier(name))
            return why = "'" + shown(name) + "' is no name: letters, digits and _, at most 64", false;
        if (is_reserved(name)) return why = "'" + shown(name) + "' is the request's", false;
        return true;
    }

    bool start_assign(Range range, const Tag& tag, std::string& why) {
        note_unknown(tag, {"name", "value"});
        const std::string* name = tag.attribute("name");
        const std::string* value = tag.attribute("value");
        if (name == nullptr) return why = "it needs name=\"variable\"", false;
        if (!may_assign(*name, why)) return false;
        Detail detail;
        detail.name = *name;
        if (value != nullptr) {
            detail.first = parse_expression(*value, *this);
            if (detail.first.packed.empty()) return why = detail.first.error, false;
            assigned.insert(*name);
            add(OpKind::assign, range, std::move(detail));
            if (!tag.empty)
                ++rejected[static_cast<std::size_t>(Element::assign)],
                    report("<esi:assign> with a value must be empty");
            return true;
        }
        if (tag.empty) return why = "it needs a value", false;
        if (capturing) return why = "it may not stand inside another one", false;
        capturing = true;
        capture.clear();
        push(Element::assign, group, range, std::move(detail));
        return true;
    }

    bool start_foreach(Range range, const Tag& tag, std::string& why) {
        note_unknown(tag, {"collection", "item"});
        const std::string* collection = tag.attribute("collection");
        const std::string* item = tag.attribute("item");
        if (collection == nullptr) return why = "it needs collection=\"expression\"", false;
        Detail detail;
        detail.name = item != nullptr ? *item : "item";
        if (!may_assign(detail.name, why)) return false;
        detail.first = parse_expression(*collection, *this);
        if (detail.first.packed.empty()) return why = detail.first.error, false;
        assigned.insert(detail.name);
        push(Element::foreach, OpKind::foreach, range, std::move(detail));
        return true;
    }

    bool start_break(Range range, const Tag& tag, std::string& why) {
        note_unknown(tag, {});
        if (!tag.empty) return why = "it must be empty: <esi:break/>", false;
        if (!is_open(Element::foreach)) return why = "it may only stand inside <esi:foreach>", false;
        add(OpKind::break_loop, range, {});
        return true;
    }

    // ---- closing

    // Closes the element at stack[at]. Elements that are still open inside it lack their closing tag: they are demoted.
    void close(std::size_t at, Range range) {
        while (stack.size() > at + 1) demote_top();
        Open open = stack.back();
        stack.pop_back();
        Range body{open.tag.end(), range.offset - open.tag.end()};
        switch (open.element) {
            case Element::remove:
            case Element::comment:
                truncate(open);
                break;
            case Element::html_comment:
                truncate(open);
                literal({open.tag.offset, range.end() - open.tag.offset});
                break;
            case Element::text:
                truncate(open);
                literal(body);
                break;
            case Element::inline_:
                close_inline(open, body);
                break;
            case Element::assign:
                close_assign(open, body, range);
                break;
            case Element::choose:
            case Element::try_:
                if (has_branches(open)) {
                    note_stray(open);
                } else {
                    demote(open, open.element == Element::choose
                                     ? "it has neither <esi:when> nor <esi:otherwise>"
                                     : "it needs an <esi:attempt>");
                    literal(range);
                    break;
                }
                end_body(open);
                break;
            case Element::when:
            case Element::otherwise:
            case Element::attempt:
            case Element::except:
                ops.push_back({closing_tag, 0, static_cast<std::uint32_t>(ops.size() + 1), 0, range});
                end_body(open);
                break;
            default:
                end_body(open);
                break;
        }
    }

    void note_stray(const Open& open) {
        if (open.stray.line == 0) return;
        Token now = here;
        here = open.stray;
        report("text directly inside <esi:" + std::string(element_name(open.element)) +
               "> is not shown: put it into a branch");
        here = now;
    }

    void end_body(const Open& open) { ops[open.op].end = static_cast<std::uint32_t>(ops.size()); }

    static bool has_branches(const Open& open) {
        return open.branches[0] > 0 || (open.element == Element::choose && open.branches[1] > 0);
    }

    // Removes the element and all its content from the draft.
    void truncate(const Open& open) {
        ops.resize(open.op);
        details.resize(open.details);
        inlines.resize(open.inlines);
        if (reports.size() > open.reports) reports.resize(open.reports);
        includes = open.includes;
    }

    void close_inline(const Open& open, Range body) {
        InlineDraft fragment = inlines[open.inlines];
        fragment.body = body;
        truncate(open);
        inlines.push_back(std::move(fragment));
    }

    void close_assign(const Open& open, Range body, Range closing) {
        capturing = false;
        Detail detail;
        detail.name = std::move(details[ops[open.op].detail].name);
        std::string_view source = std::string_view(capture).substr(0, body.length);
        bool fits = body.length <= longest_assign_body;
        if (fits) detail.first = parse_expression(trim(decode_references(source)), *this);
        truncate(open);
        if (detail.first.packed.empty()) {
            here.line = open.line;
            here.offset = open.tag.offset;
            report("<esi:assign> stays as text: " + (fits ? detail.first.error : "more than 4096 bytes"));
            return literal({open.tag.offset, closing.end() - open.tag.offset});
        }
        assigned.insert(detail.name);
        add(OpKind::assign, open.tag, std::move(detail));
    }

    void demote_top() {
        Open open = stack.back();
        stack.pop_back();
        demote(open, "it is not closed");
    }

    // The innermost open element's count of branches of this kind; null if `element` is no branch. Precondition: the
    // branch itself is no longer on the stack.
    unsigned* branches_with(Element element) {
        bool first = element == Element::when || element == Element::attempt;
        bool second = element == Element::otherwise || element == Element::except;
        return first || second ? &stack.back().branches[second ? 1 : 0] : nullptr;
    }

    // Turns the element's tags into text; its content stays.
    void demote(const Open& open, const std::string& why) {
        Token now = here;
        here.line = open.line;
        here.offset = open.tag.offset;
        if (is_include(open.element)) {
            ops[open.op].end = open.op + 1;
            report("<esi:" + std::string(element_name(open.element)) + "> is not closed: '/>' expected");
        } else if (open.element != Element::html_comment) {
            std::string name = open.element == Element::esi_comment
                                   ? "<!--esi"
                                   : "<esi:" + std::string(element_name(open.element)) + ">";
            report(name + " stays as text: " + why);
        }
        here = now;
        if (is_include(open.element)) return;
        if (unsigned* count = branches_with(open.element)) --*count;
        if (open.element == Element::assign) capturing = false;
        if (open.element == Element::inline_)
            inlines.erase(inlines.begin() + static_cast<std::ptrdiff_t>(open.inlines));
        if (open.element == Element::choose || open.element == Element::try_) demote_branches(open.op + 1);
        if (open.element == Element::vars && !is_open(Element::vars))
            turn_all_literal(open.op + 1, OpKind::emit);
        if (open.element == Element::foreach && !is_open(Element::foreach))
            turn_all_literal(open.op + 1, OpKind::break_loop);
        turn_literal(ops[open.op]);
    }

    // Turns operations of `kind`, which only have a meaning inside the demoted element, into text, unless they are inside
    // another element of its kind.
    void turn_all_literal(std::uint32_t at, OpKind kind) {
        while (at < ops.size()) {
            bool is_vars = ops[at].kind == group && ops[at].code == vars_group;
            bool keeps = kind == OpKind::emit ? is_vars : ops[at].kind == OpKind::foreach;
            if (ops[at].kind == kind) turn_literal(ops[at]);
            at = keeps ? ops[at].end : at + 1;
        }
    }

    void turn_literal(Draft& op) {
        op.kind = OpKind::literal;
        op.end = static_cast<std::uint32_t>(&op - ops.data()) + 1;
    }

    void demote_branches(std::uint32_t at) {
        while (at < ops.size()) {
            std::uint32_t end = ops[at].end;
            OpKind kind = ops[at].kind;
            if (kind == OpKind::when || kind == OpKind::otherwise || kind == OpKind::attempt ||
                kind == OpKind::except) {
                turn_literal(ops[at]);
                turn_literal(ops[end - 1]);
            }
            at = end;
        }
    }

    // ---- the draft

    bool is_open(Element element) const {
        return std::any_of(stack.begin(), stack.end(),
                           [&](const Open& open) { return open.element == element; });
    }
    // Whether the maximal depth is reached. <esi:include> without the '/' stays open until an element around it is closed;
    // such includes are demoted to make room.
    bool deep() {
        while (stack.size() >= options.limits.depth && is_include(stack.back().element)) demote_top();
        return stack.size() >= options.limits.depth;
    }

    bool full(Range range) {
        if (ops.size() < options.limits.ops) return false;
        if (!full_reported)
            report("more than " + std::to_string(options.limits.ops) +
                   " operations: the rest of the page stays as text");
        full_reported = true;
        literal(range);
        return true;
    }

    void add(OpKind kind, Range range, Detail detail) {
        auto index = static_cast<std::uint32_t>(ops.size());
        ops.push_back({kind, 0, index + 1, static_cast<std::uint32_t>(details.size()), range});
        details.push_back(std::move(detail));
    }

    void push(Element element, OpKind kind, Range range, Detail detail) {
        auto op = static_cast<std::uint32_t>(ops.size());
        stack.push_back({element, op, range, here.line, details.size(), inlines.size(), reports.size(),
                         includes, rejected[static_cast<std::size_t>(element)]});
        add(kind, range, std::move(detail));
        if (element == Element::vars) ops.back().code = vars_group;
    }

    void literal(Range range) {
        if (range.length == 0) return;
        bool sibling = !ops.empty() && (stack.empty() || ops.size() - 1 > stack.back().op);
        if (sibling && ops.back().kind == OpKind::literal && ops.back().range.end() == range.offset) {
            ops.back().range.length += range.length;
            return;
        }
        ops.push_back({OpKind::literal, 0, static_cast<std::uint32_t>(ops.size() + 1), 0, range});
    }

    void report(std::string text) {
        if (reports.size() >= options.limits.reports) {
            ++reports_dropped;
            return;
        }
        reports.push_back({here.offset, here.line, std::move(text)});
    }

    // The limit of work is reached: the rest of the document is text.
    void stop() {
        if (!wants_markup) return;
        wants_markup = false;
        report("this takes more work than a document may: the rest of the page stays as text");
    }

    // ---- the result

    CompileResult finish() {
        CompileResult result;
        result.too_large = too_large;
        if (!too_large) {
            scanner.finish();
            while (!stack.empty()) demote_top();
            packed = ops.size();
            DraftPlan made = plan_of_draft(ops, details, inlines, size);
            result.has_esi = made.has_esi;
            result.plan = std::move(made.plan);
            result.ops = made.ops;
            result.includes = made.includes;
            result.inlines = static_cast<std::uint32_t>(inlines.size());
        }
        result.reports = std::move(reports);
        result.reports_dropped = reports_dropped;
        return result;
    }

    CompileOptions options;
    Scanner scanner;
    Token here{};  // the place that reports refer to
    std::uint64_t size = 0;
    std::uint64_t tags = 0, tag_bytes = 0;  // for work(): tags and variables, which are parsed
    std::uint64_t packed = 0;               // for work(): operations packed into the plan
    bool too_large = false;
    std::vector<Draft> ops;
    std::vector<Detail> details;
    std::vector<InlineDraft> inlines;
    std::vector<Open> stack;
    std::array<std::uint32_t, static_cast<std::size_t>(Element::count_)>
        rejected{};  // by element: opening tags that are text and whose closing tag has not come yet
    std::unordered_set<std::string> assigned;
    std::uint32_t includes = 0;
    std::vector<Report> reports;
    std::uint64_t reports_dropped = 0;
    bool full_reported = false;
    bool capturing = false;  // inside <esi:assign>...</esi:assign>
    std::string capture;
};

Compiler::Compiler(CompileOptions options) : state_(std::make_unique<State>(options)) {}
Compiler::~Compiler() = default;
Compiler::Compiler(Compiler&&) noexcept = default;
Compiler& Compiler::operator=(Compiler&&) noexcept = default;

bool Compiler::feed(std::string_view chunk) {
    State& state = *state_;
    if (state.too_large || chunk.size() > state.options.limits.document_bytes - state.size) {
        state.too_large = true;
        return false;
    }
    state.size += chunk.size();
    for (; !chunk.empty(); chunk.remove_prefix(std::min(step_bytes, chunk.size()))) {
        if (work() > state.options.limits.work) state.stop();
        state.scanner.feed(chunk.substr(0, step_bytes));
    }
    return true;
}

CompileResult Compiler::finish() {
    return state_->finish();
}

std::uint64_t Compiler::work() const {
    const State& state = *state_;
    return 4 * state.scanner.tokens() + 4 * state.tags + (state.scanner.examined() + 2 * state.tag_bytes) / 32 + state.size / 1024 +
           state.packed;
}

Syntax syntax_of(std::string_view content_type) {
    std::string_view type = content_type.substr(0, content_type.find_first_of("; "));
    auto subtype = type.find('/');
    if (subtype == std::string_view::npos) return Syntax::html;
    auto ends_with = [type](std::string_view end) { return type.size() >= end.size() && type.substr(type.size() - end.size()) == end; };
    return ends_with("/json") || ends_with("+json") ? Syntax::json : Syntax::html;
}

std::uint64_t StepwiseCompiler::step() {
    std::uint64_t before = compiler_.work();
    std::string_view next = document_.substr(0, step_bytes);
    document_.remove_prefix(next.size());
    bool fits = compiler_.feed(next);
    done_ = document_.empty() || !fits;
    if (done_) result_ = compiler_.finish();
    return 1 + compiler_.work() - before;
}

CompileResult compile(std::string_view document, const CompileOptions& options) {
    Compiler compiler(options);
    compiler.feed(document);
    return compiler.finish();
}

}  // namespace larder::esi
