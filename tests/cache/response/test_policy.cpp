// The encoding of policies.
#include "cache/response/policy.hpp"

#include "cache/bytes.hpp"
#include "tests/cache/samples.hpp"

using namespace larder;
using namespace larder::test;

static std::string encode(const Policy& policy) {
    std::string bytes;
    ByteWriter out(bytes);
    write_policy(out, policy);
    return bytes;
}

static std::optional<Policy> decode(std::string_view bytes) {
    ByteReader in(bytes);
    auto policy = read_policy(in);
    if (policy) assert_true(in.at_end());
    return policy;
}

static Policy unusual() {
    Policy p;
    p.valid = {{200, 60}, {0, 4294967295u}, {1, 0}, {65535, 1}};
    p.valid_overrides = true;
    p.never_stale = true;
    p.while_s = 1;
    p.error_s = 4294967295u;
    p.keep_s = 3;
    p.heuristic_percent = 10;
    p.heuristic_max_s = 4;
    p.keep_nonces = true;
    p.failures = {};
    p.failures.to_anybody.add(400, 418);
    p.failures.to_render.add(599, 599);
    p.strip_cookies = {"a", "*"};
    p.targeted = {"Mine-Cache-Control", "CDN-Cache-Control"};
    p.esi = EsiMode::automatic;
    p.max_body = 7;
    p.esi_max_includes = 65535;
    p.esi_max_depth = 255;
    return p;
}

TEST(what_is_written_is_read_back) {
    assert_true(decode(encode({})) == Policy{});
    assert_true(decode(encode(unusual())) == unusual());
    assert_false(unusual() == Policy{});
}

TEST(as_many_rules_as_allowed) {
    Policy p;
    p.valid.assign(max_valid_rules, {404, 1});
    assert_true(decode(encode(p)) == p);
    p.valid.push_back({404, 1});
    assert_false(decode(encode(p)).has_value());
}

TEST(every_truncation_is_refused) {
    for (const Policy& p : {Policy{}, unusual()}) {
        each_truncation(encode(p), [](std::string_view bytes) {
            ByteReader in(bytes);
            assert_false(read_policy(in).has_value());
        });
    }
}

TEST(a_flipped_bit_is_refused_or_is_another_policy) {
    each_flip(encode(unusual()), [](std::string_view bytes, std::size_t at) {
        ByteReader in(bytes);
        auto policy = read_policy(in);
        // If a count became smaller, bytes are left over, for whoever reads on.
        if (policy && at != 0) assert_true(bytes.starts_with(encode(*policy)));
    });
}

TEST(yes_and_no_and_modes_have_one_form) {
    Policy p;
    std::string bytes = encode(p);
    struct {
        std::size_t at;
        char value;
    } rows[] = {{1, 2}, {2, 2}, {15, 101}, {20, 2}, {22, 3}};  // overrides, never_stale, heuristic_percent, keep_nonces, esi
    for (const auto& row : rows) {
        std::string other = bytes;
        assert_true(static_cast<unsigned char>(other[row.at]) <= 2);
        other[row.at] = row.value;
        assert_false(decode(other).has_value());
    }
}

TEST_MAIN("cache policy")
