// Jobs come from a queue that anybody may have written to, so they are checked.
#include "cache/job.hpp"

#include <random>

#include "tests/cache/samples.hpp"

using namespace larder;
using namespace larder::test;

static std::string why_refused(std::string_view bytes) {
    const char* why = nullptr;
    bool decoded = decode_job(bytes, &why).has_value();
    assert_true(decoded == (why == nullptr));
    return decoded ? "" : why;
}

TEST(what_is_encoded_is_read_back) {
    Job job = sample_job();
    const char* why = nullptr;
    auto got = decode_job(encode_job(job), &why);
    assert_true(got.has_value());
    assert_true(got->reason == job.reason);
    assert_int_equal(got->heat, job.heat);
    assert_int_equal(got->enqueued_ms, job.enqueued_ms);
    assert_int_equal(got->deadline_ms, job.deadline_ms);
    assert_int_equal(got->fence, job.fence);
    assert_text_equal(got->position, job.position);
    assert_text_equal(got->store, job.store);
    assert_true(got->store_identity == job.store_identity && job.store_identity != 0);
    assert_text_equal(got->nginx, job.nginx);
    assert_true(got->policy_of_nginx == job.policy_of_nginx);
    assert_true(got->policy == job.policy);
    assert_text_equal(got->variant, job.variant);
}

TEST(a_job_of_an_nginx_before_store_identities_is_understood) {
    Job job = sample_job();
    std::string bytes = encode_job(job);
    std::size_t at = 1 + 1 + 4 + 8 + 8 + 8 + 2 + job.position.size() + 2 + job.store.size();
    bytes.erase(at, sizeof job.store_identity + 2 + job.nginx.size() + 1);
    bytes[0] = 1;
    const char* why = nullptr;
    auto got = decode_job(bytes, &why);
    assert_true(got && got->store_identity == 0 && got->nginx.empty() && got->policy_of_nginx && got->store == job.store && got->variant == job.variant);
}

TEST(each_reason_is_read_back_and_has_a_name) {
    const char* names[] = {"stale", "purge", "prerender", "warm", "manual"};
    for (int i = 0; i < 5; i++) {
        Job job = sample_job();
        job.reason = static_cast<JobReason>(i);
        const char* why = nullptr;
        assert_true(decode_job(encode_job(job), &why)->reason == job.reason);
        assert_text_equal(to_string(job.reason), names[i]);
        assert_true(job.urgent() == (job.reason == JobReason::purge || job.reason == JobReason::manual));
    }
    std::string bytes = encode_job(sample_job());
    bytes[1] = 5;
    assert_text_equal(why_refused(bytes), "job has an unknown reason");
}

TEST(every_truncation_is_refused) {
    std::string bytes = encode_job(sample_job());
    each_truncation(bytes, [](std::string_view part) { assert_true(!why_refused(part).empty()); });
    assert_text_equal(why_refused(bytes + "x"), "job is truncated or has trailing bytes");
}

TEST(a_flipped_bit_is_refused_or_is_another_job) {
    each_flip(encode_job(sample_job()), [](std::string_view bytes, std::size_t) {
        const char* why = nullptr;
        auto job = decode_job(bytes, &why);
        if (job) assert_text_equal(encode_job(*job), bytes);
    });
}

TEST(the_reason_of_a_refusal_is_named) {
    std::string bytes = encode_job(sample_job());
    for (char version : {'\0', '\4'}) {
        bytes[0] = version;
        assert_text_equal(why_refused(bytes), "job has an unknown version");
    }
    assert_text_equal(why_refused(std::string(max_job_bytes + 1, '\1')), "job is longer than 32768 bytes");
    Job job = sample_job();
    job.policy.valid.assign(max_valid_rules + 1, {});
    assert_text_equal(why_refused(encode_job(job)), "job has an invalid policy or is truncated");
    job = sample_job();
    job.variant[0] = 9;
    assert_text_equal(why_refused(encode_job(job)), "variant has an unknown version");
    job.variant.clear();
    assert_true(!why_refused(encode_job(job)).empty());
    for (std::int64_t time : {INT64_MIN, std::int64_t{-1}, INT64_MAX}) {
        job = sample_job();
        job.enqueued_ms = time;
        assert_text_equal(why_refused(encode_job(job)), "job has impossible times");
        job = sample_job();
        job.deadline_ms = time;
        assert_text_equal(why_refused(encode_job(job)), "job has impossible times");
    }
}

TEST(random_bytes_do_no_harm) {
    std::mt19937 generator(2);
    std::string bytes = encode_job(sample_job());
    for (int i = 0; i < 20000; i++) {
        std::string other = bytes;
        for (unsigned n = generator() % 8; n > 0; n--)
            other[generator() % other.size()] = static_cast<char>(generator());
        const char* why = nullptr;
        auto job = decode_job(other, &why);
        if (job) assert_text_equal(encode_job(*job), other);
    }
}

TEST(the_time_is_where_redis_scripts_look_for_it) {
    Job job = sample_job();
    job.enqueued_ms = 0x0102030405060708;
    assert_text_equal(encode_job(job).substr(job_time_at, 8), "\x08\x07\x06\x05\x04\x03\x02\x01");
}

TEST_MAIN("cache job")
