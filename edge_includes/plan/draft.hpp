// The draft of a plan: a flat, mutable list of operations in document order. Internal to the engine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "edge_includes/expression/expression.hpp"
#include "edge_includes/plan/plan.hpp"

namespace larder::esi {

// Kinds that only drafts have.
inline constexpr auto group = static_cast<OpKind>(200);  // an element of which only the content is packed: <esi:vars>, <!--esi
inline constexpr auto closing_tag =
    static_cast<OpKind>(201);                   // ends a branch; becomes text if the branch is demoted
inline constexpr std::uint16_t vars_group = 1;  // code of a group that is <esi:vars>

struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t end() const { return offset + length; }
};

struct Draft {
    OpKind kind = OpKind::literal;
    std::uint16_t code = 0;
    std::uint32_t end = 0;     // index of the operation after the body
    std::uint32_t detail = 0;  // index of its Detail, if the kind has one
    Range range;               // literal: the text; otherwise the tag
};

struct Detail {
    Parsed first;   // src, test, value, collection
    Parsed second;  // alt
    bool has_second = false;
    std::string name;
    IncludeAttributes attributes;
};

struct InlineDraft {
    std::string name;
    Range body;
    bool fetchable = false;
};

struct DraftPlan {
    bool has_esi = false;  // false: the whole document is text; the plan is empty and the counts are 0
    std::string plan;
    std::uint32_t ops = 0;
    std::uint32_t includes = 0;
};

// Packs a draft. Preconditions: every body is closed, and `document_size` is below 4 GiB.
DraftPlan plan_of_draft(const std::vector<Draft>& ops, const std::vector<Detail>& details,
                        const std::vector<InlineDraft>& inlines, std::uint64_t document_size);

}  // namespace larder::esi
