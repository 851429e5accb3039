// cmocka for C++: tests that register themselves, comparisons that print both sides, exceptions as failures.
//
//   TEST(a_promise_in_words) { assert_text_equal(escape("<"), "&lt;"); }
//   TEST_MAIN("escape")
//
// A failing assertion leaves the test by longjmp, so destructors between it and the runner do not run: that
// leaks, once, in a program that is about to fail anyway. With CMOCKA_MESSAGE_OUTPUT=tap the output is TAP.
#pragma once

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}

// Macros whose names C++ uses otherwise (std::ios::fail).
#undef fail
#undef skip
#undef fail_msg
#define fail_msg(...) (print_error("ERROR: " __VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace larder::test {

inline std::vector<CMUnitTest>& registry() {
    static std::vector<CMUnitTest> tests;
    return tests;
}

struct Registration {
    Registration(const char* name, CMUnitTestFunction function) {
        registry().push_back({name, function, nullptr, nullptr, nullptr});
    }
};

// cmocka is C: an exception that reached it would end the program without naming the test.
template <void (*body)()>
void guarded(void**) {
    const char* what = nullptr;
    static std::string message;
    try {
        body();
    } catch (const std::exception& error) {
        message = error.what();
        what = message.c_str();
    } catch (...) {
        what = "not a std::exception";
    }
    if (what != nullptr) fail_msg("uncaught exception: %s", what);
}

inline int run(const char* group) {
    return _cmocka_run_group_tests(group, registry().data(), registry().size(), nullptr, nullptr);
}

inline void text_equal(std::string_view got, std::string_view expected, const char* file, int line) {
    if (got == expected) return;
    print_error("got      [%.*s]\nexpected [%.*s]\n", static_cast<int>(got.size()), got.data(),
                static_cast<int>(expected.size()), expected.data());
    _fail(file, line);
}

}  // namespace larder::test

#define TEST(name)                                                                                       \
    static void name();                                                                                  \
    static const ::larder::test::Registration name##_registration{#name, ::larder::test::guarded<name>}; \
    static void name()

#define TEST_MAIN(group)                   \
    int main() {                           \
        return ::larder::test::run(group); \
    }

// Both sides convert to std::string_view; NUL bytes count.
#define assert_text_equal(got, expected) ::larder::test::text_equal((got), (expected), __FILE__, __LINE__)
