// Keys and tag hashes. The expected values were computed by other programs.
#include "cache/request/key.hpp"

#include <set>

#include "tests/cache/samples.hpp"

using namespace larder;
using namespace larder::test;

TEST(a_key_is_the_head_of_sha256) {
    // sha256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 ... (FIPS 180-4's example)
    assert_text_equal(key_of("abc").text(), "ungWv48Bz-pBQUDeXa4iIw");
    assert_text_equal(key_of("").text(), "47DEQpj8HBSa-_TImW-5JA");
    assert_true(key_of("abc") == key_of("abc"));
    assert_false(key_of("abc") == key_of("abd"));
}

TEST(a_keys_text_is_read_back) {
    for (int i = 0; i < 1000; i++) {
        Key key = key_of(std::to_string(i));
        assert_int_equal(key.text().size(), 22);
        assert_true(Key::from_text(key.text()) == key);
    }
}

TEST(a_key_has_one_text) {
    std::string text = key_of("abc").text();
    for (std::string bad :
         {std::string(), text.substr(1), text + "A", text + "==", std::string(22, '='), std::string(22, '\0'),
          text.substr(0, 21) + "+", text.substr(0, 21) + "/", text.substr(0, 21) + "\xff"}) {
        assert_false(Key::from_text(bad).has_value());
    }
    // The text has 132 bits for 128: the last 4 must be 0.
    std::size_t accepted = 0;
    for (char last : std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")) {
        auto key = Key::from_text(text.substr(0, 21) + last);
        if (!key) continue;
        accepted++;
        assert_text_equal(key->text(), text.substr(0, 21) + last);
    }
    assert_int_equal(accepted, 4);
}

TEST(the_bucket_hash_is_the_keys_head) {
    Key key;
    for (unsigned char i = 0; i < 16; i++) key.bytes[i] = i;
    assert_int_equal(key.bucket_hash(), 0x0706050403020100ULL);
}

TEST(hashes_have_texts_of_16_digits) {
    assert_text_equal(hash_text(0), "0000000000000000");
    assert_text_equal(hash_text(0xfedcba9876543210ULL), "fedcba9876543210");
    assert_true(hash_from_text("fedcba9876543210") == 0xfedcba9876543210ULL);
    for (int i = 0; i < 100; i++) {
        std::uint64_t hash = tag_hash(std::to_string(i));
        assert_true(hash_from_text(hash_text(hash)) == hash);
    }
    for (std::string_view bad :
         {"", "0", "fedcba987654321", "fedcba98765432100", "fedcba987654321g", "-edcba9876543210",
          "+edcba9876543210", " edcba9876543210", "0xdcba9876543210"}) {
        assert_false(hash_from_text(bad).has_value());
    }
}

TEST(a_tag_is_its_bytes_however_it_was_encoded) {
    assert_true(tag_hash("town:New%20York") == tag_hash("town:New York"));
    assert_true(tag_hash("town:Z%C3%BCrich") == tag_hash("town:Z\xc3\xbcrich"));
    assert_true(tag_hash("town:Z%c3%bcrich") == tag_hash("town:Z\xc3\xbcrich"));
    assert_true(tag_hash("%74own:x") == tag_hash("town:x"));
    assert_true(tag_hash("100%25") == tag_hash("100%"));
    assert_true(tag_hash("%2541") == text_hash("%41"));  // decoded once
    // What is not a percent-encoding stands for itself.
    for (std::string_view tag : {"100%", "%", "%4", "%4g", "%-1", "%+1", "% 1", "a%zz"})
        assert_true(tag_hash(tag) == text_hash(tag));
    assert_true(tag_hash("%%41") == text_hash("%A"));
}

TEST(tags_and_urls_do_not_meet) {
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; i++) {
        std::string n = std::to_string(i);
        assert_true(seen.insert(tag_hash(n)).second);
        assert_true(seen.insert(url_tag_hash("example.org", "/" + n)).second);
        assert_true(seen.insert(url_tag_hash(n + ".example.org", "/")).second);
    }
    assert_true(url_tag_hash("a", "b/c") != url_tag_hash("ab", "/c"));
    assert_true(url_tag_hash("", "") != tag_hash(""));
    assert_true(url_tag_hash("h", "/") == url_tag_hash("h", "/"));
}

TEST_MAIN("cache key")
