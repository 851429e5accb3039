// The words by which Larder says why something is not cached.
#include "cache/reason.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "tests/cmocka.hpp"

using namespace larder;

TEST(each_reason_has_a_word_of_its_own_that_a_header_can_hold) {
    std::set<std::string_view> words;
    for (std::string_view word : reason_texts) {
        assert_true(words.insert(word).second);
        bool is_token = std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-' || c == '_'; });
        assert_true(is_token);
    }
    assert_string_equal(text_of(Reason::none), "");
    assert_string_equal(text_of(Reason::says_no_store), "no-store");
    assert_string_equal(text_of(Reason::stale_on_error), "stale-on-error");
}

TEST_MAIN("reasons")
