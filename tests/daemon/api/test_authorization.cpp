// The API's access control.
#include "daemon/api/authorization.hpp"
#include "tests/cmocka.hpp"

using namespace larder::daemon;

TEST(the_token_opens_as_bearer_or_as_password) {
    assert_true(is_authorized("Bearer 0123456789abcdef", "0123456789abcdef"));
    assert_true(is_authorized("Basic bGFyZGVyOjAxMjM0NTY3ODlhYmNkZWY=", "0123456789abcdef"));
    assert_true(is_authorized("Basic OjAxMjM0NTY3ODlhYmNkZWY=", "0123456789abcdef"));
}

TEST(nothing_else_does) {
    for (const char* text : {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcdef ",
                             "bearer 0123456789abcdef", "0123456789abcdef", "Basic", "Basic !!!!",
                             "Basic MDEyMzQ1Njc4OWFiY2RlZg==", "Basic OjAx", "Basic Og=="}) {
        assert_false(is_authorized(text, "0123456789abcdef"));
    }
    assert_false(is_authorized("Bearer ", ""));
    assert_false(is_authorized("Basic Og==", ""));
}

TEST_MAIN("authorization")
