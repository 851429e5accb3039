// Checks plans, reads them, and prints them for people.
#include "edge_includes/plan/plan.hpp"

#include <zlib.h>

#include <cstring>

#include "edge_includes/expression/expression.hpp"
#include "edge_includes/expression/expression_bytes.hpp"
#include "edge_includes/plan/plan_bytes.hpp"

namespace larder::esi {

std::uint32_t plan_checksum(const char* plan, std::size_t size) {
    constexpr Bytef zeros[4] = {};
    const auto* bytes = reinterpret_cast<const Bytef*>(plan);
    uLong sum = crc32(0, bytes, checksum_at);
    sum = crc32(sum, zeros, sizeof zeros);
    constexpr std::size_t after = checksum_at + sizeof zeros;
    return static_cast<std::uint32_t>(crc32(sum, bytes + after, static_cast<uInt>(size - after)));
}

namespace {

// Checks the structure of the operations, and everything that they refer to.
class Checker {
public:
    Checker(const PlanView& plan, std::string_view heap) : plan_(plan), heap_(heap) {}

    const char* run() {
        if (!block(0, plan_.op_count(), OpKind::literal, plan_max_depth, false)) return why_;
        for (std::uint32_t i = 0; i < plan_.inline_count(); ++i) {
            Inline fragment = plan_.inline_fragment(i);
            if (!within_document(fragment.offset, fragment.length))
                return "an inline fragment reaches past the document";
        }
        return nullptr;
    }

    bool simple() const { return simple_; }
    Reads reads() const { return reads_; }

private:
    bool fail(const char* why) {
        why_ = why;
        return false;
    }

    bool within_document(std::uint32_t offset, std::uint32_t length) const {
        return std::uint64_t{offset} + length <= plan_.document_size();
    }

    bool string(std::uint32_t at) {
        return (std::uint64_t{at} + 4 <= heap_.size() &&
                get<std::uint32_t>(heap_.data() + at) <= heap_.size() - at - 4) ||
               fail("a string reaches past the heap");
    }

    // Expressions must not share bytes of the heap. So checking all of them takes at most one pass over it.
    bool expression(std::uint32_t at) {
        if (!string(at)) return false;
        std::string_view packed = plan_.heap(at);
        checked_ += packed.size();
        if (checked_ > heap_.size()) return fail("expressions overlap");
        return valid_expression(packed, &reads_) || fail("an expression is malformed");
    }

    bool block(std::uint32_t from, std::uint32_t to, OpKind parent, unsigned depth, bool in_loop) {
        if (depth == 0) return fail("nested too deeply");
        for (std::uint32_t at = from; at < to;) {
            Op op = plan_.op(at);
            std::uint32_t body = at + 1;
            if (op.span > to - body) return fail("a body reaches past its parent");
            if (!belongs(op.kind, parent, at == from)) return fail("an operation stands where it may not");
            if (op.flags != 0) return fail("unknown flags of an operation");
            if (!operation(op, in_loop)) return false;
            if (!block(body, body + op.span, op.kind, depth - 1, in_loop || op.kind == OpKind::foreach))
                return false;
            at = body + op.span;
        }
        return true;
    }

    static bool belongs(OpKind kind, OpKind parent, bool first) {
        bool branch_of_choose = kind == OpKind::when || kind == OpKind::otherwise;
        if (parent == OpKind::choose || branch_of_choose) return parent == OpKind::choose && branch_of_choose;
        bool branch_of_try = kind == OpKind::attempt || kind == OpKind::except;
        if (parent == OpKind::attempt_all || branch_of_try) {
            return parent == OpKind::attempt_all && branch_of_try && first == (kind == OpKind::attempt);
        }
        return true;
    }

    bool operation(const Op& op, bool in_loop) {
        if (op.kind != OpKind::literal && (op.kind != OpKind::include || op.span != 0)) simple_ = false;
        switch (op.kind) {
            case OpKind::literal:
                if (op.span != 0) return fail("a literal has a body");
                return within_document(op.a, op.b) || fail("a literal reaches past the document");
            case OpKind::emit:
                return op.span == 0 ? expression(op.a) : fail("an emit has a body");
            case OpKind::assign:
                return op.span == 0 ? string(op.a) && expression(op.b) : fail("an assign has a body");
            case OpKind::include:
                return include(op.a);
            case OpKind::when:
                return expression(op.a) && string(op.b);
            case OpKind::foreach:
                return expression(op.a) && string(op.b);
            case OpKind::break_loop:
                return (in_loop && op.span == 0) || fail("a break without a loop");
            case OpKind::attempt_all:
                return op.span > 0 || fail("a try without an attempt");
            case OpKind::choose:
            case OpKind::otherwise:
            case OpKind::attempt:
            case OpKind::except:
                return true;
        }
        return fail("an unknown operation");
    }

    bool include(std::uint32_t index) {
        if (index >= plan_.include_count()) return fail("an include that is not in the table");
        Include include = plan_.include(index);
        if (!include.src.constant || (include.alt.present && !include.alt.constant)) simple_ = false;
        return true;
    }

public:
    // To be called before run(), which relies on valid tables.
    bool include_record(const IncludeRecord& record) {
        if ((record.flags & ~std::uint32_t{include_all_flags}) != 0)
            return fail("unknown flags of an include");
        if (!((record.flags & src_constant) != 0 ? string(record.src) : expression(record.src))) return false;
        if (record.alt == no_string) return true;
        return (record.flags & alt_constant) != 0 ? string(record.alt) : expression(record.alt);
    }
    bool inline_record(const InlineRecord& record) {
        return (record.flags & ~inline_fetchable) == 0 ? string(record.name)
                                                       : fail("unknown flags of an inline fragment");
    }
    const char* why() const { return why_; }

private:
    const PlanView& plan_;
    std::string_view heap_;
    std::size_t checked_ = 0;
    bool simple_ = true;
    Reads reads_ = 0;
    const char* why_ = nullptr;
};

std::string duration(const char* name, std::uint32_t value, const char* unit) {
    return value == IncludeAttributes::unset ? ""
                                             : std::string(" ") + name + "=" + std::to_string(value) + unit;
}

std::string source_text(const UrlSource& source) {
    return source.constant ? "\"" + std::string(source.bytes) + "\"" : expression_text(source.bytes);
}

std::string include_text(const Include& include) {
    std::string out = "include " + source_text(include.src);
    if (include.alt.present) out += " alt=" + source_text(include.alt);
    const IncludeAttributes& attributes = include.attributes;
    out += duration("maxwait", attributes.maxwait_ms, "ms") + duration("ttl", attributes.ttl_s, "s");
    if (attributes.no_store) out += " no-store";
    if (attributes.continue_on_error) out += " continue";
    if (attributes.process) out += " process";
    if (attributes.late_client) out += " late=client";
    return out;
}

std::string op_text(const PlanView& plan, const Op& op) {
    switch (op.kind) {
        case OpKind::literal:
            return "literal " + std::to_string(op.a) + "+" + std::to_string(op.b);
        case OpKind::emit:
            return "emit " + expression_text(plan.heap(op.a));
        case OpKind::include:
            return include_text(plan.include(op.a));
        case OpKind::assign:
            return "assign " + std::string(plan.heap(op.a)) + " = " + expression_text(plan.heap(op.b));
        case OpKind::choose:
            return "choose";
        case OpKind::when:
            return "when " + expression_text(plan.heap(op.a)) + " -> " + std::string(plan.heap(op.b));
        case OpKind::otherwise:
            return "otherwise";
        case OpKind::foreach:
            return "foreach " + std::string(plan.heap(op.b)) + " in " + expression_text(plan.heap(op.a));
        case OpKind::break_loop:
            return "break";
        case OpKind::attempt_all:
            return "try";
        case OpKind::attempt:
            return "attempt";
        case OpKind::except:
            return op.code == 0 ? "except" : "except " + std::to_string(op.code);
    }
    return "?";
}

void print(const PlanView& plan, std::uint32_t from, std::uint32_t to, std::size_t indent, std::string& out) {
    while (from < to) {
        Op op = plan.op(from++);
        out.append(indent, ' ') += op_text(plan, op) + "\n";
        print(plan, from, from + op.span, indent + 2, out);
        from += op.span;
    }
}

}  // namespace

PlanView::PlanView(std::string_view plan) : bytes_(plan) {
    auto header = get<PlanHeader>(plan.data());
    ops_ = header.ops;
    includes_ = header.includes;
    inlines_ = header.inlines;
    heap_size_ = header.heap_size;
    op_table_ = plan.data() + sizeof(PlanHeader);
    include_table_ = op_table_ + sizeof(Op) * ops_;
    inline_table_ = include_table_ + sizeof(IncludeRecord) * includes_;
    heap_ = inline_table_ + sizeof(InlineRecord) * inlines_;
}

std::optional<PlanView> PlanView::parse(std::string_view plan, std::size_t document_size, const char** why) {
    const char* reason = nullptr;
    std::optional<PlanView> view;
    PlanHeader header{};
    if (plan.size() < sizeof header) {
        reason = "shorter than its header";
    } else {
        header = get<PlanHeader>(plan.data());
        std::uint64_t tables = sizeof header + sizeof(Op) * std::uint64_t{header.ops} +
                               sizeof(IncludeRecord) * std::uint64_t{header.includes} +
                               sizeof(InlineRecord) * std::uint64_t{header.inlines} + header.heap_size;
        if (header.magic != plan_magic)
            reason = "not a plan";
        else if (header.version != plan_version)
            reason = "another version";
        else if (header.size != plan.size() || tables != plan.size())
            reason = "sizes disagree";
        else if (header.document_size != document_size)
            reason = "compiled from a document of another size";
        else if ((header.flags & 0xff & ~plan_simple) != 0 || header.reserved != 0)
            reason = "unknown flags";
        else if (header.checksum != plan_checksum(plan.data(), plan.size()))
            reason = "wrong checksum";
    }
    if (reason == nullptr) {
        view = PlanView(plan);
        reason = view->check();
    }
    if (why != nullptr) *why = reason;
    return reason == nullptr ? view : std::nullopt;
}

PlanView PlanView::trusted(std::string_view plan) {
    return PlanView(plan);
}

const char* PlanView::check() const {
    Checker checker(*this, {heap_, heap_size_});
    for (std::uint32_t i = 0; i < includes_; ++i) {
        if (!checker.include_record(get<IncludeRecord>(include_table_ + sizeof(IncludeRecord) * i)))
            return checker.why();
    }
    for (std::uint32_t i = 0; i < inlines_; ++i) {
        if (!checker.inline_record(get<InlineRecord>(inline_table_ + sizeof(InlineRecord) * i)))
            return checker.why();
    }
    if (const char* why = checker.run()) return why;
    if (checker.simple() != is_simple()) return "the flag for simple plans is wrong";
    return checker.reads() == reads() ? nullptr : "the flags for what it reads are wrong";
}

bool PlanView::is_simple() const {
    return (get<PlanHeader>(bytes_.data()).flags & plan_simple) != 0;
}
Reads PlanView::reads() const {
    return static_cast<Reads>(get<PlanHeader>(bytes_.data()).flags >> reads_shift);
}
std::uint32_t PlanView::document_size() const {
    return get<PlanHeader>(bytes_.data()).document_size;
}
Op PlanView::op(std::uint32_t index) const {
    return get<Op>(op_table_ + sizeof(Op) * index);
}

std::string_view PlanView::heap(std::uint32_t at) const {
    return {heap_ + at + 4, get<std::uint32_t>(heap_ + at)};
}

Include PlanView::include(std::uint32_t index) const {
    auto record = get<IncludeRecord>(include_table_ + sizeof(IncludeRecord) * index);
    Include include;
    include.src = {true, (record.flags & src_constant) != 0, heap(record.src)};
    if (record.alt != no_string) include.alt = {true, (record.flags & alt_constant) != 0, heap(record.alt)};
    include.attributes = {record.maxwait_ms,
                          record.ttl_s,
                          (record.flags & include_no_store) != 0,
                          (record.flags & include_continue) != 0,
                          (record.flags & include_process) != 0,
                          (record.flags & include_late_client) != 0};
    return include;
}

Inline PlanView::inline_fragment(std::uint32_t index) const {
    auto record = get<InlineRecord>(inline_table_ + sizeof(InlineRecord) * index);
    return {heap(record.name), record.offset, record.length, (record.flags & inline_fetchable) != 0};
}

std::string PlanView::to_text() const {
    std::string out;
    print(*this, 0, ops_, 0, out);
    for (std::uint32_t i = 0; i < inlines_; ++i) {
        Inline fragment = inline_fragment(i);
        out += "inline \"" + std::string(fragment.name) + "\" " + std::to_string(fragment.offset) + "+" +
               std::to_string(fragment.length) + (fragment.fetchable ? " fetchable" : "") + "\n";
    }
    return out;
}

}  // namespace larder::esi
