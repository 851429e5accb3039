// Tokens as Django makes and accepts them. The vectors are from Django 3.2's own functions.
#include "cache/csrf.hpp"

#include <set>

#include "tests/cmocka.hpp"

using namespace larder;

TEST(a_token_is_the_mask_and_the_masked_secret) {
    assert_text_equal(csrf_token("Zz9aB0kQw3eRtY7uIoPlKjHgFdSaMnV1", "mNbVcXzLkJhGfDsApOiUyTrEwQ0987aZ"),
                      "mNbVcXzLkJhGfDsApOiUyTrEwQ0987aZbcaVDNJrGClnyrpUX2X582YK1TI9KkVQ");
}

TEST(the_secret_is_found_under_the_mask_of_older_djangos) {
    assert_text_equal(csrf_secret("THtaO3OaMnLkTpauXDkXNBmIiUADm0YJjO0j5ccFEAGYrBLiVFp5zyFxBj82SaSi").value(),
                      "AhHjrjyF2n5OImLY8cfiW7tZtzIzGk4J");
    assert_text_equal(csrf_secret("hjDhlQm9i7OK1Bar5BQqHkQtTozyaCaLWIWDWbFCywfgeMplc0F2sSXR37HtP9mV").value(),
                      "PztwLvtDqzBGnlp4hzZMVIhykTi5PHmk");
}

TEST(a_cookie_of_32_characters_is_the_secret) {
    assert_text_equal(csrf_secret("Zz9aB0kQw3eRtY7uIoPlKjHgFdSaMnV1").value(),
                      "Zz9aB0kQw3eRtY7uIoPlKjHgFdSaMnV1");
}

TEST(other_cookies_have_none) {
    std::string good = "Zz9aB0kQw3eRtY7uIoPlKjHgFdSaMnV1";
    for (std::size_t length = 0; length <= 130; length++) {
        bool legal = length == csrf_secret_size || length == csrf_token_size;
        assert_int_equal(csrf_secret(std::string(length, 'a')).has_value(), legal);
    }
    for (int byte = 0; byte < 256; byte++) {
        std::string text = good;
        text[31] = static_cast<char>(byte);
        bool legal = byte < 128 && isalnum(byte) != 0;
        assert_int_equal(csrf_secret(text).has_value(), legal);
        assert_int_equal(csrf_secret(good + text).has_value(), legal);
    }
}

TEST(random_texts_are_secrets_and_differ) {
    std::set<std::string> seen;
    std::set<char> letters;
    for (int i = 0; i < 1000; i++) {
        std::string text = random_csrf_text();
        assert_text_equal(csrf_secret(text).value(), text);
        letters.insert(text.begin(), text.end());
        assert_text_equal(csrf_secret(csrf_token(text, random_csrf_text())).value(), text);
        seen.insert(std::move(text));
    }
    assert_int_equal(seen.size(), 1000);
    assert_int_equal(letters.size(), 62);
}

TEST_MAIN("csrf")
