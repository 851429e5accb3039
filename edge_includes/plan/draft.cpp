// Packs a draft into a plan: nests bodies, joins adjacent literals, and leaves out text between branches.
#include "edge_includes/plan/draft.hpp"

#include "edge_includes/plan/plan_writer.hpp"

namespace larder::esi {

namespace {

class Packer {
public:
    Packer(const std::vector<Draft>& ops, const std::vector<Detail>& details)
        : ops_(ops), details_(details) {}

    DraftPlan run(const std::vector<InlineDraft>& inlines, std::uint64_t document_size) {
        std::uint32_t last = no_string;
        pack(0, static_cast<std::uint32_t>(ops_.size()), last);
        DraftPlan made;
        made.has_esi = !inlines.empty() || !is_whole_document(document_size);
        if (!made.has_esi) return made;
        for (const InlineDraft& fragment : inlines) {
            writer_.inline_fragment({writer_.string(fragment.name),
                                     static_cast<std::uint32_t>(fragment.body.offset),
                                     static_cast<std::uint32_t>(fragment.body.length),
                                     fragment.fetchable ? inline_fetchable : 0u});
        }
        made.ops = writer_.op_count();
        made.includes = writer_.include_count();
        made.plan = writer_.finish(static_cast<std::uint32_t>(document_size), simple_);
        return made;
    }

private:
    bool is_whole_document(std::uint64_t size) {
        if (size == 0) return true;
        return writer_.op_count() == 1 && writer_.op(0).kind == OpKind::literal && writer_.op(0).b == size;
    }

    void pack_literal(Range range, std::uint32_t& last) {
        auto offset = static_cast<std::uint32_t>(range.offset),
             length = static_cast<std::uint32_t>(range.length);
        if (last != no_string && writer_.op(last).a + writer_.op(last).b == offset) {
            writer_.op(last).b += length;
        } else {
            last = writer_.add({OpKind::literal, 0, 0, 0, offset, length});
        }
    }

    // Packs the draft's operations [from, to). `last`: the preceding literal, to which an adjacent one is appended;
    // no_string: none.
    void pack(std::uint32_t from, std::uint32_t to, std::uint32_t& last) {
        for (std::uint32_t at = from; at < to; at = ops_[at].end) {
            const Draft& op = ops_[at];
            if (op.kind == closing_tag || (op.kind == OpKind::literal && op.range.length == 0)) continue;
            if (op.kind == OpKind::literal) {
                pack_literal(op.range, last);
            } else if (op.kind == group) {
                pack(at + 1, op.end, last);
            } else {
                pack_op(at);
                last = no_string;
            }
        }
    }

    void pack_op(std::uint32_t at) {
        const Draft& op = ops_[at];
        std::uint32_t index = writer_.add({op.kind, 0, op.code, 0, 0, 0});
        if (op.kind == OpKind::include)
            writer_.op(index).a = writer_.include(include_record(details_[op.detail]));
        if (op.kind == OpKind::emit || op.kind == OpKind::when || op.kind == OpKind::foreach) {
            writer_.op(index).a = writer_.expression(details_[op.detail].first.packed);
        }
        if (op.kind == OpKind::when || op.kind == OpKind::foreach)
            writer_.op(index).b = writer_.string(details_[op.detail].name);
        if (op.kind == OpKind::assign) {
            writer_.op(index).a = writer_.string(details_[op.detail].name);
            writer_.op(index).b = writer_.expression(details_[op.detail].first.packed);
        }
        pack_body(at, op.kind);
        writer_.op(index).span = writer_.op_count() - index - 1;
        simple_ = simple_ && op.kind == OpKind::include && writer_.op(index).span == 0 &&
                  is_constant(details_[op.detail]);
    }

    static bool is_constant(const Detail& include) {
        return include.first.constant && (!include.has_second || include.second.constant);
    }

    void pack_body(std::uint32_t at, OpKind kind) {
        std::uint32_t last = no_string;
        if (kind == OpKind::choose) {
            pack_branches(at, OpKind::when);
            pack_branches(at, OpKind::otherwise);
        } else if (kind == OpKind::attempt_all) {
            pack_branches(at, OpKind::attempt);
            pack_branches(at, OpKind::except);
        } else {
            pack(at + 1, ops_[at].end, last);
        }
    }

    // A plan has its branches in a fixed order, the markup in any order. Text between branches is left out.
    void pack_branches(std::uint32_t at, OpKind branch) {
        for (std::uint32_t child = at + 1; child < ops_[at].end; child = ops_[child].end) {
            if (ops_[child].kind == branch) pack_op(child);
        }
    }

    std::uint32_t source(const Parsed& url) {
        return url.constant ? writer_.string(url.packed) : writer_.expression(url.packed);
    }

    IncludeRecord include_record(const Detail& detail) {
        const IncludeAttributes& attributes = detail.attributes;
        IncludeRecord record{};
        record.src = source(detail.first);
        record.alt = detail.has_second ? source(detail.second) : no_string;
        record.maxwait_ms = attributes.maxwait_ms;
        record.ttl_s = attributes.ttl_s;
        record.flags =
            (detail.first.constant ? src_constant : 0u) | (detail.second.constant ? alt_constant : 0u) |
            (attributes.no_store ? include_no_store : 0u) |
            (attributes.continue_on_error ? include_continue : 0u) |
            (attributes.process ? include_process : 0u) | (attributes.late_client ? include_late_client : 0u);
        return record;
    }

    const std::vector<Draft>& ops_;
    const std::vector<Detail>& details_;
    PlanWriter writer_;
    bool simple_ = true;  // only literals and constant includes so far
};

}  // namespace

DraftPlan plan_of_draft(const std::vector<Draft>& ops, const std::vector<Detail>& details,
                        const std::vector<InlineDraft>& inlines, std::uint64_t document_size) {
    return Packer(ops, details).run(inlines, document_size);
}

}  // namespace larder::esi
