// The draft of a plan: operations in document order, flat, still changeable. Internal to the engine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "edge_includes/expression/expression.hpp"
#include "edge_includes/plan/plan.hpp"

namespace larder::esi {

// Kinds of the draft that no plan has.
inline constexpr auto group = static_cast<OpKind>(200);  // <esi:vars>, <!--esi: only the content counts
inline constexpr auto closing_tag =
    static_cast<OpKind>(201);                   // at the end of a branch: text again if the branch is demoted
inline constexpr std::uint16_t vars_group = 1;  // code of a group that is <esi:vars>

struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t end() const { return offset + length; }
};

struct Draft {
    OpKind kind = OpKind::literal;
    std::uint16_t code = 0;
    std::uint32_t end = 0;     // index behind the body; index + 1 if there is none
    std::uint32_t detail = 0;  // index, where the kind has one
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
    bool has_esi = false;  // false: all of the document is text; plan is empty, counts are 0
    std::string plan;
    std::uint32_t ops = 0;
    std::uint32_t includes = 0;
};

// Precondition: every body is closed, and `document_size` below 4 GiB.
DraftPlan plan_of_draft(const std::vector<Draft>& ops, const std::vector<Detail>& details,
                        const std::vector<InlineDraft>& inlines, std::uint64_t document_size);

}  // namespace larder::esi
