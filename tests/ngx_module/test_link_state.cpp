// The states of a link: whatever happens to a server, the link comes up again when the server is back.
#include "ngx_module/stores/link/link_state.hpp"

#include <initializer_list>

#include "tests/cmocka.hpp"

using namespace larder::ngx;
using enum LinkState;
using enum LinkEvent;

namespace {

constexpr LinkState all_states[] = {idle, opening, up, down, probing};
constexpr LinkEvent all_events[] = {wanted, welcomed, lost, retry};

LinkState after(LinkState state, std::initializer_list<LinkEvent> events) {
    for (LinkEvent event : events) state = next_state(state, event);
    return state;
}

TEST(a_first_connection) {
    assert_true(after(idle, {wanted}) == opening);
    assert_true(after(idle, {wanted, welcomed}) == up);
}

TEST(a_lost_link_is_down_until_a_greeting_is_answered) {
    for (LinkState state : all_states) {
        LinkState lost_now = next_state(state, lost);
        assert_true(lost_now == down);
        assert_false(takes_requests(lost_now));
        assert_true(after(lost_now, {wanted}) == down);
        assert_true(after(lost_now, {retry}) == probing);
        assert_false(takes_requests(probing));
        assert_true(after(lost_now, {retry, lost}) == down);
        assert_true(after(lost_now, {retry, lost, retry, welcomed}) == up);
    }
}

// From every state the link can come up again, by its own timer or by a request.
TEST(no_dead_ends) {
    for (LinkState state : all_states) {
        for (LinkEvent event : all_events) {
            LinkState next = next_state(state, event);
            bool moves_on = next == idle ? next_state(next, wanted) == opening
                            : next == down ? next_state(next, retry) == probing
                                           : has_connection(next);
            assert_true(moves_on);
            assert_true(after(next, {lost, retry, welcomed}) == up);
        }
    }
}

TEST(only_a_welcome_brings_a_link_up) {
    for (LinkState state : all_states) {
        for (LinkEvent event : {wanted, lost, retry}) {
            if (state != up) assert_true(next_state(state, event) != up);
        }
    }
}

}  // namespace

TEST_MAIN("link states")
