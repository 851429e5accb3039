// Builds the bytes of a plan.
#include "edge_includes/plan/plan_writer.hpp"

#include <cstring>

#include "edge_includes/expression/expression.hpp"
#include "edge_includes/expression/expression_bytes.hpp"

namespace larder::esi {

namespace {

template <typename Record>
void append(std::string& out, const std::vector<Record>& records) {
    out.append(reinterpret_cast<const char*>(records.data()), records.size() * sizeof(Record));
}

}  // namespace

std::uint32_t PlanWriter::expression(std::string_view packed) {
    valid_expression(packed, &reads_);
    return append_text(packed);
}

std::uint32_t PlanWriter::append_text(std::string_view packed) {
    auto at = static_cast<std::uint32_t>(heap_.size());
    put(heap_, static_cast<std::uint32_t>(packed.size()));
    heap_ += packed;
    return at;
}

std::uint32_t PlanWriter::string(std::string_view text) {
    auto known = strings_.find(std::string(text));
    if (known != strings_.end()) return known->second;
    std::uint32_t at = append_text(text);
    strings_.emplace(text, at);
    return at;
}

std::string PlanWriter::finish(std::uint32_t document_size, bool simple) const {
    PlanHeader header{};
    header.magic = plan_magic;
    header.version = plan_version;
    header.flags = static_cast<std::uint16_t>((simple ? plan_simple : 0) | reads_ << reads_shift);
    header.document_size = document_size;
    header.ops = op_count();
    header.includes = include_count();
    header.inlines = static_cast<std::uint32_t>(inlines_.size());
    header.heap_size = static_cast<std::uint32_t>(heap_.size());
    std::string plan;
    put(plan, header);
    append(plan, ops_);
    append(plan, includes_);
    append(plan, inlines_);
    plan += heap_;
    auto size = static_cast<std::uint32_t>(plan.size());
    std::memcpy(plan.data() + offsetof(PlanHeader, size), &size, sizeof size);
    std::uint32_t checksum = plan_checksum(plan.data(), plan.size());
    std::memcpy(plan.data() + checksum_at, &checksum, sizeof checksum);
    return plan;
}

}  // namespace larder::esi
