// Render calls come from the network, so they are checked.
#include "cache/wire/render_call.hpp"

#include <array>

#include "tests/cache/samples.hpp"

using namespace larder;
using namespace larder::test;

static RenderCall sample_call() {
    RenderCall call;
    call.unconditional = true;
    call.as_visitor = true;
    call.fence = 1700000000000001;
    call.route = "replica1:1700000000:tag";
    call.policy = Policy{};
    call.policy->max_body = 4711;
    call.variant = sample_variant().encode();
    return call;
}

TEST(what_is_encoded_is_read_back) {
    for (bool with_policy : {false, true}) {
        RenderCall call = sample_call();
        if (!with_policy) call.policy.reset();
        const char* why = nullptr;
        auto got = decode_render_call(encode_render_call(call), &why);
        assert_true(got.has_value() && why == nullptr);
        assert_true(got->unconditional && got->as_visitor);
        assert_int_equal(got->fence, call.fence);
        assert_text_equal(got->route, call.route);
        assert_true(got->policy == call.policy);
        assert_text_equal(got->variant, call.variant);
    }
}

TEST(every_truncation_and_a_byte_too_many_is_refused) {
    std::string bytes = encode_render_call(sample_call());
    const char* why = nullptr;
    each_truncation(bytes, [&why](std::string_view part) {
        assert_false(decode_render_call(part, &why).has_value());
        assert_non_null(why);
    });
    assert_false(decode_render_call(bytes + "x", &why).has_value());
    assert_false(decode_render_call(std::string(40000, 'x'), &why).has_value());
}

TEST(a_flipped_bit_is_refused_or_is_another_call) {
    each_flip(encode_render_call(sample_call()), [](std::string_view bytes, std::size_t) {
        const char* why = nullptr;
        auto call = decode_render_call(bytes, &why);
        if (call) assert_text_equal(encode_render_call(*call), bytes);
    });
}

TEST(personal_pages_and_malformed_routes_are_refused) {
    const char* why = nullptr;
    RenderCall call = sample_call();
    Variant own = sample_variant();
    own.cookies.push_back({"user", "digest", CookieKind::digest});
    call.variant = own.encode();
    assert_false(decode_render_call(encode_render_call(call), &why).has_value());
    assert_text_equal(why, "render call is for a page that can't be asked for without its visitor");
    call = sample_call();
    call.route = "a\r\nHost: b";
    assert_false(decode_render_call(encode_render_call(call), &why).has_value());
}

TEST(the_signature_is_of_this_body_this_key_and_this_minute) {
    Signer signer({"a key of sixteen or more"}, render_salt), other({"another of sixteen or more"}, render_salt);
    std::string body = encode_render_call(sample_call());
    std::string field = sign_render_call(std::array{std::string("a key of sixteen or more")}, body, 1700000000);
    assert_true(is_signed_render_call(signer, field, body, 1700000000));
    assert_true(is_signed_render_call(signer, field, body, 1700000000 + render_call_age_s));
    assert_false(is_signed_render_call(signer, field, body, 1700000001 + render_call_age_s));
    assert_false(is_signed_render_call(signer, field, body + "x", 1700000000));
    assert_false(is_signed_render_call(other, field, body, 1700000000));
    assert_false(is_signed_render_call(signer, "", body, 1700000000));
    assert_false(is_signed_render_call(Signer({"a key of sixteen or more"}, route_salt), field, body, 1700000000));
}

TEST(while_keys_are_changed_one_that_both_know_will_do) {
    const std::string former = "a key of sixteen or more", next = "the next of sixteen or more";
    std::string body = encode_render_call(sample_call());
    auto accepts = [&](std::vector<std::string> of_nginx, const std::vector<std::string>& of_larderd) {
        return is_signed_render_call(Signer(std::move(of_nginx), render_salt), sign_render_call(of_larderd, body, 1700000000), body, 1700000000);
    };
    assert_true(accepts({next, former}, {former}));  // nginx was changed first
    assert_true(accepts({former}, {next, former}));  // larderd was changed first
    assert_true(accepts({next, former}, {next, former}));
    assert_true(accepts({next}, {next, former}));
    assert_false(accepts({next}, {former}));
    std::string many;
    for (int i = 0; i < 100; i++) many += "x,";
    assert_false(is_signed_render_call(Signer({next}, render_salt), many + sign_render_call(std::array{next}, body, 1700000000), body, 1700000000));
    assert_false(is_signed_render_call(Signer({next}, render_salt), ",,,", body, 1700000000));
}

TEST(reports_are_read_back) {
    for (int i = 0; i < 5; i++) {
        RenderReport report{static_cast<RenderResult>(i), 503, 120, "3vVtVq9lE2mYcP9M0aXo_A", "the site says: 503"};
        auto got = decode_report(encode_report(report));
        assert_true(got && got->result == report.result);
        assert_int_equal(got->status, 503);
        assert_int_equal(got->retry_after_s, 120);
        assert_text_equal(got->key, report.key);
        assert_text_equal(got->detail, report.detail);
    }
    for (const char* bad : {"", "\n", "stored\n", "stored 200\n", "stored 200 0\n", "stored 200 0 k\n", "stored x 0 k d\n", "else 200 0 k d\n",
                            "stored 200 0 k d", "stored 99999 0 k d\n", "<html>502 Bad Gateway</html>\n"})
        assert_false(decode_report(bad).has_value());
}

TEST_MAIN("render call")
