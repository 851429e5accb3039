// Signed texts, compared with vectors from Django 3.2 to 6.1.
#include "cache/signer.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <stdexcept>

#include "tests/cache/samples.hpp"

using namespace larder;
using namespace larder::test;

namespace {

const std::string key = "0123456789abcdef0123456789abcdef";
constexpr std::int64_t then = 1700000000;
constexpr std::string_view vector_text = "pg1/0/16B3748:1r31eq:R4ZSktNzXzSywoZNQq66e8nUarbQy1WxTnU9BLKWlkA";

std::optional<std::string_view> check(std::string_view text, std::int64_t now = then,
                                      std::int64_t max_age_s = 10) {
    return Signer({key}, pin_salt).unsign(text, now, max_age_s);
}

// "v" with a given timestamp, signed without Signer.
std::string sign_stamp(const std::string& stamp) {
    std::string material = std::string(pin_salt) + "signer" + key, text = "v:" + stamp;
    unsigned char derived[32], mac[32], encoded[48];
    EVP_Digest(material.data(), material.size(), derived, nullptr, EVP_sha256(), nullptr);
    HMAC(EVP_sha256(), derived, sizeof derived, reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), mac, nullptr);
    EVP_EncodeBlock(encoded, mac, sizeof mac);
    std::string tag(reinterpret_cast<char*>(encoded), 43);
    std::replace(tag.begin(), tag.end(), '+', '-');
    std::replace(tag.begin(), tag.end(), '/', '_');
    return text + ":" + tag;
}

}  // namespace

TEST(django_s_vector) {
    assert_text_equal(Signer({key}, pin_salt).sign("pg1/0/16B3748", then), vector_text);
    assert_text_equal(check(vector_text).value(), "pg1/0/16B3748");
}

TEST(any_value_is_read_back) {
    Signer signer({key}, route_salt);
    std::string all;
    for (int c = 0; c < 256; c++) all.push_back(static_cast<char>(c));
    for (const std::string& value :
         {std::string(), std::string(":"), std::string("a:b:c"), all, std::string(100000, ':')}) {
        for (std::int64_t now :
             {std::int64_t{0}, std::int64_t{61}, std::int64_t{62}, then, std::int64_t{253402300799}}) {
            std::string text = signer.sign(value, now);
            assert_text_equal(signer.unsign(text, now, 0).value(), value);
        }
    }
}

TEST(age_counts) {
    struct {
        std::int64_t now;
        std::int64_t max_age;
        bool good;
    } rows[] = {
        {then, 0, true},        {then + 10, 10, true},
        {then + 11, 10, false}, {then - 60, 10, true},  // clocks differ a little
        {then - 61, 10, false}, {then + 1000000, 10000000, true},
    };
    for (const auto& row : rows)
        assert_true(check(vector_text, row.now, row.max_age).has_value() == row.good);
}

TEST(every_change_is_found) {
    each_flip(std::string(vector_text),
              [](std::string_view text, std::size_t) { assert_false(check(text).has_value()); });
    each_truncation(std::string(vector_text),
                    [](std::string_view text) { assert_false(check(text).has_value()); });
    assert_false(check(std::string(vector_text) + "=").has_value());
    assert_false(check(std::string(vector_text) + "\n").has_value());
    assert_false(check(" " + std::string(vector_text)).has_value());
}

TEST(malformed_texts_are_refused) {
    for (std::string_view text : {"", ":", "::", ":::", "a", "a:b", "a:b:", "a:b:c",
                                  "::R4ZSktNzXzSywoZNQq66e8nUarbQy1WxTnU9BLKWlkA"}) {
        assert_false(check(text).has_value());
    }
    assert_false(check(std::string(1 << 20, ':')).has_value());
}

TEST(a_timestamp_that_is_none_is_refused_though_rightly_signed) {
    for (const char* stamp : {"1r31eq", "0001r31eq"}) assert_true(check(sign_stamp(stamp)).has_value());
    for (const char* stamp :
         {"", "!", "-1", "1r31e q", "1r31eq\n", "zzzzzzzzz", "zzzzzzzzzz", "00000000001r31eq"}) {
        assert_false(check(sign_stamp(stamp)).has_value());
    }
}

TEST(salts_and_keys_are_kept_apart) {
    assert_false(Signer({key}, route_salt).unsign(vector_text, then, 10).has_value());
    assert_false(Signer({key + "0"}, pin_salt).unsign(vector_text, then, 10).has_value());
    assert_false(Signer({key.substr(1)}, "larder.pinsigner0").unsign(vector_text, then, 10).has_value());
}

TEST(old_keys_are_accepted_but_not_used) {
    Signer rotated({"a new key of sixteen bytes or more", key}, pin_salt);
    assert_text_equal(rotated.unsign(vector_text, then, 10).value(), "pg1/0/16B3748");
    std::string fresh = rotated.sign("v", then);
    assert_false(check(fresh).has_value());
    assert_true(rotated.unsign(fresh, then, 10).has_value());
}

TEST(a_signer_needs_a_key) {
    bool refused = false;
    try {
        Signer none({}, pin_salt);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    assert_true(refused);
}

TEST_MAIN("cache signer")
