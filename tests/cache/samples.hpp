// A sample of each format with something in every part, and ways to damage it.
#pragma once

#include <functional>
#include <string>

#include "cache/entry.hpp"
#include "cache/job.hpp"
#include "cache/request/variant.hpp"
#include "tests/cmocka.hpp"

namespace larder::test {

inline Variant sample_variant() {
    return {.method = "GET",
            .scheme = "https",
            .host = "example.org:8443",
            .path = "/news/%C3%A4",
            .query = "page=2&q=a%20b",
            .led = "/index.php?page=2",
            .site = "8443,9443",
            .cookies = {{"lang", "de"}, {"theme", ""}},
            .headers = {{"accept-language", "en, de;q=0.5"}, {"x-empty", ""}}};
}

inline std::string sample_entry() {
    static const std::string variant = sample_variant().encode();
    return build_entry({.status = 200,
                        .render_ms = 300,
                        .created_ms = 1700000000000,
                        .life = {1700000000100, 60000, 3600000, 86400000},
                        .fence = 1700000000000001,
                        .variant = variant,
                        .tags = {"news", "item-1"},
                        .headers = {{"Content-Type", "text/html"}, {"ETag", "\"abc\""}, {"X-Empty", ""}},
                        .steering = {{"Surrogate-Control", "max-age=60"}},
                        .vary = {"x-device"},
                        .plan = "a plan",
                        .body = std::string_view("<p>body\0</p>", 12)});
}

inline Job sample_job() {
    Job job;
    job.reason = JobReason::purge;
    job.heat = 17;
    job.enqueued_ms = 1700000000000;
    job.deadline_ms = 1700000030000;
    job.fence = 1700000000000001;
    job.position = "default/1/16B3748";
    job.store = "main";
    job.store_identity = 0x123456789abcdef0;
    job.nginx = "https://192.0.2.7:8443";
    job.policy_of_nginx = false;
    job.policy.valid = {{200, 60}, {404, 5}, {1, 0}};
    job.policy.while_s = 30;
    job.variant = sample_variant().encode();
    return job;
}

// Calls `judge` with each proper prefix of `bytes`, in memory of exactly that size, so that a sanitizer notices reads
// beyond it.
inline void each_truncation(const std::string& bytes, const std::function<void(std::string_view)>& judge) {
    for (std::size_t size = 0; size < bytes.size(); size++) {
        std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        judge({exact.data(), exact.size()});
    }
}

// Calls `judge` with each single bit of `bytes` flipped, and its position.
inline void each_flip(std::string bytes, const std::function<void(std::string_view, std::size_t at)>& judge) {
    for (std::size_t at = 0; at < bytes.size(); at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
            judge(bytes, at);
            bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
        }
    }
}

}  // namespace larder::test
