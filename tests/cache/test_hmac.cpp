// HMAC-SHA-256 gives RFC 4231's results, whichever key was used before.
#include "cache/hmac.hpp"

#include <stdexcept>
#include <string>

#include "tests/cmocka.hpp"

using namespace larder;

namespace {

std::string hex(const std::array<unsigned char, 32>& bytes) {
    std::string text;
    for (unsigned char byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

constexpr std::string_view case_1 = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
constexpr std::string_view case_2 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
constexpr std::string_view case_6 = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";

TEST(cases_of_rfc_4231) {
    std::string key_1(20, '\x0b'), key_6(131, '\xaa');
    for (int round = 0; round < 2; round++) {
        assert_text_equal(hex(hmac_sha256(key_1, "Hi There")), case_1);
        assert_text_equal(hex(hmac_sha256("Jefe", "what do ya want for nothing?")), case_2);
        assert_text_equal(hex(hmac_sha256("Jefe", "what do ya want for nothing?")), case_2);
        assert_text_equal(hex(hmac_sha256(key_6, "Test Using Larger Than Block-Size Key - Hash Key First")),
                          case_6);
    }
}

TEST(an_empty_message_has_one_and_an_empty_key_has_none) {
    assert_string_not_equal(hex(hmac_sha256("key", "")).c_str(), hex(hmac_sha256("key", "x")).c_str());
    bool refused = false;
    try {
        hmac_sha256("", "message");
    } catch (const std::runtime_error&) {
        refused = true;
    }
    assert_true(refused);
    assert_text_equal(hex(hmac_sha256("Jefe", "what do ya want for nothing?")), case_2);
}

}  // namespace

TEST_MAIN("hmac")
