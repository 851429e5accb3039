// Hostile packed expressions are refused, or are safe to evaluate.
#include "edge_includes/expression/expression_bytes.hpp"

#include <array>
#include <random>

#include "edge_includes/expression/expression.hpp"
#include "tests/cmocka.hpp"
#include "tests/edge_includes/host.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

namespace {

struct Known : Names {
    bool is_variable(std::string_view name) const override { return name == "site"; }
    bool is_assigned(std::string_view name) const override { return name == "x"; }
    bool is_function(std::string_view name) const override { return name == "echo"; }
};

std::string packed(std::string_view source) {
    Parsed parsed = parse_expression(source, Known{});
    if (parsed.packed.empty()) fail_msg("%s", parsed.error.c_str());
    return parsed.packed;
}

// Evaluates the expression if it passes the check; sanitizers detect errors.
void try_out(std::string_view bytes) {
    expression_text(bytes);
    if (!valid_expression(bytes)) return;
    Request request;
    Budget budget({.work = 10'000, .memory = 100'000});
    Evaluator evaluator(request, budget);
    evaluator.text(evaluator.evaluate(bytes, nullptr));
}

constexpr const char* samples[] = {
    "$(HTTP_COOKIE{group}|'none') == 'a' & !($(QUERY_STRING{n}) >= 3 | $(x{$(HTTP_HOST)}) has_i 'q')",
    "[1, 2, {'a': [1..5], 'b': $substr('abc', 1, 2)}] + [$echo('z')]",
    "'abc' matches '(a)(b)' & 1 + 2 * 3 - 4 / 5 % 6 < 7",
};

}  // namespace

TEST(what_the_parser_writes_is_valid) {
    for (const char* sample : samples) assert_true(valid_expression(packed(sample)));
}

TEST(truncated_bytes_are_refused) {
    for (const char* sample : samples) {
        std::string bytes = packed(sample);
        for (std::size_t size = 0; size < bytes.size(); ++size)
            assert_false(valid_expression({bytes.data(), size}));
        assert_false(valid_expression(bytes + "x"));
    }
}

TEST(changed_bits_never_crash) {
    for (const char* sample : samples) {
        std::string bytes = packed(sample);
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            std::string changed = bytes;
            changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
            try_out(changed);
        }
    }
}

TEST(random_bytes_never_crash) {
    std::mt19937 random(1);
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes(random() % 60, '\0');
        for (char& c : bytes) c = static_cast<char>(random() % (random() % 2 != 0 ? 32 : 256));
        try_out(bytes);
    }
}

TEST(deep_bytes_are_refused) {
    std::string deep(1000, static_cast<char>(Node::negate));
    assert_false(valid_expression(deep + std::string("\x03\x01", 2)));
    std::string shallow(10, static_cast<char>(Node::negate));
    assert_true(valid_expression(shallow + std::string("\x03\x01", 2)));
}

TEST(a_starved_evaluation_does_not_read_beyond_what_was_checked) {
    for (const char* sample : samples) {
        std::string bytes = packed(sample);
        for (std::uint32_t memory = 0; memory < 5000; memory += 23) {
            Request request;
            Budget budget({.work = 10'000, .memory = memory});
            Evaluator evaluator(request, budget);
            evaluator.text(evaluator.evaluate(bytes, nullptr));
        }
        for (std::uint32_t work = 0; work < 60; ++work) {
            Request request;
            Budget budget({.work = work, .memory = 100'000});
            Evaluator evaluator(request, budget);
            evaluator.text(evaluator.evaluate(bytes, nullptr));
        }
    }
}

TEST_MAIN("expression_bytes")
