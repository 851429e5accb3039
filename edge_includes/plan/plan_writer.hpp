// Builds the bytes of a plan. Internal to the engine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge_includes/plan/plan.hpp"
#include "edge_includes/plan/plan_bytes.hpp"

namespace larder::esi {

class PlanWriter {
public:
    // Appends an operation and returns its index. Operations are added in preorder; the caller sets an operation's span
    // after its body.
    std::uint32_t add(Op op) {
        ops_.push_back(op);
        return static_cast<std::uint32_t>(ops_.size() - 1);
    }
    Op& op(std::uint32_t index) { return ops_[index]; }
    std::uint32_t op_count() const { return static_cast<std::uint32_t>(ops_.size()); }

    std::uint32_t include(IncludeRecord record) {
        includes_.push_back(record);
        return static_cast<std::uint32_t>(includes_.size() - 1);
    }
    std::uint32_t include_count() const { return static_cast<std::uint32_t>(includes_.size()); }
    void inline_fragment(InlineRecord record) { inlines_.push_back(record); }

    // Add a string or an expression to the heap, and return its offset. Equal strings are stored once. Expressions are
    // never shared: PlanView relies on that to check a plan in linear time.
    std::uint32_t string(std::string_view text);
    std::uint32_t expression(std::string_view packed);

    // Returns the plan. Precondition: all expressions that were added are valid.
    std::string finish(std::uint32_t document_size, bool simple) const;

private:
    std::uint32_t append_text(std::string_view text);

    std::vector<Op> ops_;
    std::vector<IncludeRecord> includes_;
    std::vector<InlineRecord> inlines_;
    std::string heap_;
    Reads reads_ = 0;
    std::unordered_map<std::string, std::uint32_t> strings_;
};

}  // namespace larder::esi
