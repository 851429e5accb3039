// Any text as an expression, and any bytes as a packed expression: refused, or evaluated within the limits.
#include <cstdint>

#include "edge_includes/expression/expression.hpp"
#include "tests/edge_includes/host.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

struct Known : Names {
    bool is_variable(std::string_view name) const override { return name == "site"; }
    bool is_assigned(std::string_view name) const override { return name == "x" || name == "list"; }
    bool is_function(std::string_view name) const override { return name == "echo"; }
};

void evaluate(std::string_view packed, std::uint32_t work, std::uint32_t memory) {
    Request request;
    request.query = "n=5&q=%3Cb%3E";
    request.headers["user-agent"] = "Mozilla/5.0 (Windows) Firefox/1.0";
    Budget budget({.work = work, .memory = memory});
    Evaluator evaluator(request, budget);
    Value items[] = {text_value("<a>"), integer_value(7), boolean_value(true)};
    Scope list{"list", list_value(items), nullptr};
    Scope x{"x", text_value("it's"), &list};
    Value groups;
    Value value = evaluator.evaluate(packed, &x, &groups);
    value.truthy();
    EXPECT(evaluator.text(value).size() <=
           memory + packed.size() + 100);  // views into the plan or the request take no memory
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    std::string_view source(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::uint32_t work = data[0] & 1 ? 5000 : data[0], memory = data[0] & 2 ? 50'000 : data[0] * 8u;
    Known names;
    for (Parsed parsed :
         {parse_expression(source, names), parse_interpolation(source, Escape::html, names)}) {
        EXPECT(parsed.packed.empty() == !parsed.error.empty());
        EXPECT(parsed.length <= source.size());
        if (parsed.packed.empty()) continue;
        EXPECT(valid_expression(parsed.packed));
        expression_text(parsed.packed);
        evaluate(parsed.packed, work, memory);
    }
    Parsed pattern = parse_template(source, Escape::url, names);
    if (pattern.constant) {
        EXPECT(pattern.packed == source);
    } else if (!pattern.packed.empty()) {
        EXPECT(valid_expression(pattern.packed));
        evaluate(pattern.packed, work, memory);
    }
    expression_text(source);
    if (valid_expression(source)) evaluate(source, work, memory);
    return 0;
}
