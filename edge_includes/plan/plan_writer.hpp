// Writes plans. Internal to the engine.
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
    // Operations in preorder; a body is closed by setting the span of its operation.
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

    // Equal strings are kept once; an expression stands for itself, which keeps checking a plan linear.
    std::uint32_t string(std::string_view text);
    std::uint32_t expression(std::string_view packed);

    std::string finish(std::uint32_t document_size, bool simple) const;  // expressions added must be valid

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
