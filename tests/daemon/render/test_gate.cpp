// The gate: places, waiting lines, and that each place is released exactly once.
#include "daemon/render/gate.hpp"

#include <optional>
#include <vector>

#include "tests/cmocka.hpp"

using namespace larder::daemon;

namespace {

std::string load(const Gate& gate) {
    auto line = gate.load()["site"];
    return std::to_string(line.inside) + " inside, " + std::to_string(line.waiting) + " waiting";
}

}  // namespace

TEST(so_many_go_in_as_many_wait_and_the_rest_is_turned_away) {
    Gate gate;
    std::vector<Gate::Ticket> inside;
    auto go = [&](Gate::Ticket ticket) { inside.push_back(std::move(ticket)); };
    for (int i = 0; i < 4; i++) assert_true(gate.enter("site", 2, Gate::Turn::usual, go));
    assert_false(gate.enter("site", 2, Gate::Turn::usual, go));
    assert_text_equal(load(gate), "2 inside, 2 waiting");
    assert_int_equal(inside.size(), 2);
    inside[0] = {};
    assert_int_equal(inside.size(), 3);
    assert_text_equal(load(gate), "2 inside, 1 waiting");
    assert_true(gate.enter("other", 1, Gate::Turn::usual, go));
    while (!inside.empty()) inside.pop_back();
    assert_text_equal(load(gate), "0 inside, 0 waiting");
}

TEST(urgent_ones_go_first_however_long_the_other_line_is) {
    Gate gate;
    std::vector<Gate::Ticket> inside;
    std::string order;
    auto go = [&](char name) {
        return [&, name](Gate::Ticket ticket) {
            order.push_back(name);
            inside.push_back(std::move(ticket));
        };
    };
    for (char name : {'a', 'b'}) assert_true(gate.enter("site", 1, Gate::Turn::usual, go(name)));
    assert_false(gate.enter("site", 1, Gate::Turn::usual, go('c')));
    for (char name : {'d', 'e'}) assert_true(gate.enter("site", 1, Gate::Turn::few, go(name)));
    assert_true(gate.enter("site", 1, Gate::Turn::visited, go('f')));
    assert_int_equal(gate.urgent(), 3);
    for (std::size_t i = 0; i < inside.size(); i++) inside[i] = {};
    assert_text_equal(order, "afdeb");
    assert_int_equal(gate.urgent(), 0);
}

TEST(a_ticket_that_moves_is_one_place) {
    Gate gate;
    std::optional<Gate::Ticket> held;
    gate.enter("site", 1, Gate::Turn::usual, [&](Gate::Ticket ticket) {
        Gate::Ticket moved(std::move(ticket));
        held.emplace();
        *held = std::move(moved);
    });
    assert_text_equal(load(gate), "1 inside, 0 waiting");
    held.reset();
    assert_text_equal(load(gate), "0 inside, 0 waiting");
}

TEST(an_exception_gives_the_place_back) {
    Gate gate;
    try {
        gate.enter("site", 1, Gate::Turn::usual, [](Gate::Ticket) { throw std::runtime_error("oh"); });
    } catch (const std::runtime_error&) {
    }
    assert_text_equal(load(gate), "0 inside, 0 waiting");
}

TEST(a_limit_that_shrinks_holds_for_those_who_come_next) {
    Gate gate;
    std::vector<Gate::Ticket> inside;
    auto go = [&](Gate::Ticket ticket) { inside.push_back(std::move(ticket)); };
    for (int i = 0; i < 3; i++) gate.enter("site", 3, Gate::Turn::usual, go);
    assert_true(gate.enter("site", 1, Gate::Turn::usual, go));
    inside.pop_back();
    inside.pop_back();
    assert_text_equal(load(gate), "1 inside, 1 waiting");
    inside.pop_back();
    assert_text_equal(load(gate), "1 inside, 0 waiting");
}

TEST_MAIN("gate")
