// The built-in functions of expressions. Internal to the engine; docs/esi.md describes each.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "edge_includes/expression/expression.hpp"

namespace larder::esi {

struct FunctionCall {
    Evaluator& evaluator;
    Environment& environment;
    std::span<const Value> arguments;  // at least `least`, at most `most` of them

    std::string_view text(std::size_t index) const { return evaluator.text(arguments[index]); }
};

struct Function {
    std::string_view name;
    std::uint8_t least;
    std::uint8_t most;
    Value (*run)(FunctionCall& call);
};

// Stored plans contain indices into this table: only append to it, or raise plan_version.
std::span<const Function> functions();

// The index of `name`, or -1.
int function_index(std::string_view name);

}  // namespace larder::esi
