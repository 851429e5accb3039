// The prerenderer's page, while visitors, purges and other jobs are about the same one.
#include "daemon/prerender/page_source.hpp"

#include <future>
#include <thread>

#include "cache/entry.hpp"
#include "cache/job.hpp"
#include "cache/request/key.hpp"
#include "daemon/queue/memory_queue.hpp"
#include "daemon/queue/new_job.hpp"
#include "tests/cmocka.hpp"
#include "tests/daemon/test_store.hpp"

using namespace larder;
using namespace larder::daemon;
using namespace std::chrono_literals;

namespace {

const PageAddress page{"http", "example.com", "/x", ""};

// The prerenderer waits for the page in a thread of its own; the test does what else happens.
struct Rig {
    Rig() { queue.announce(24h); }

    void begin() {
        source.request(page, {}, since_ms);
        got = std::async(std::launch::async, [this] { return source.await(page, {}, since_ms, since_ms + 60'000, why); });
    }
    // The job that a daemon would take next; the end of the wait gives none.
    std::optional<Claim> next_job() {
        for (;;) {
            std::vector<Claim> claims = queue.claim(1);
            if (!claims.empty()) return claims[0];
            if (got.wait_for(1ms) == std::future_status::ready) return std::nullopt;
        }
    }
    static JobReason reason_of(const Claim& claim) {
        const char* why = nullptr;
        return decode_job(claim.job, &why)->reason;
    }
    void store_page(MadeFor made_for, std::uint64_t fence = 0) {
        store.put(key, build_entry({.created_ms = unix_ms(),
                                    .life = {unix_ms(), 60000, 0, 0},
                                    .fence = fence,
                                    .variant = variant,
                                    .tags = {},
                                    .headers = {{"Content-Type", "text/html"}},
                                    .made_for = made_for,
                                    .plan = {},
                                    .body = "page"}),
                  60s);
    }

    const std::string variant = plain_variant(page), key = key_of(variant).text();
    const UnixMs since_ms = unix_ms();
    MemoryQueue queue{{15s, 3, 60s}, 1000};
    TestStore store;
    std::atomic<bool> stopping = false;
    PageSource source{queue, store, "main", stopping};
    std::string why;
    std::future<std::optional<std::string>> got;
};

}  // namespace

TEST(a_page_is_asked_for_once) {
    Rig rig;
    rig.begin();
    auto job = rig.next_job();
    rig.store_page(MadeFor::anybody);
    rig.queue.finish(job->lease);
    assert_true(rig.got.get().has_value());
    assert_int_equal(rig.queue.depths().queued, 0);
}

TEST(what_may_not_be_stored_is_asked_for_once) {
    Rig rig;
    rig.begin();
    rig.queue.finish(rig.next_job()->lease);
    assert_false(rig.next_job().has_value());
    assert_false(rig.got.get().has_value());
    assert_text_equal(rig.why, "its render failed, or may not be stored");
}

// It finds the page that a visitor has just had made, and ends.
TEST(a_job_for_another_reason_that_renders_nothing_is_followed_by_ones_own) {
    Rig rig;
    enqueue_new(rig.queue, JobReason::stale, "main", std::nullopt, {}, rig.variant);
    rig.begin();
    auto stale = rig.next_job();
    assert_true(Rig::reason_of(*stale) == JobReason::stale);
    rig.store_page(MadeFor::visitor);
    rig.queue.finish(stale->lease);
    auto own = rig.next_job();
    assert_true(own && Rig::reason_of(*own) == JobReason::prerender);
    rig.store_page(MadeFor::anybody);
    rig.queue.finish(own->lease);
    assert_true(rig.got.get().has_value());
}

TEST(a_page_that_is_purged_while_it_is_on_its_way_is_asked_for_again) {
    Rig rig;
    rig.begin();
    auto first = rig.next_job();
    rig.store_page(MadeFor::anybody);
    rig.store.purged = 1;
    rig.queue.finish(first->lease);
    auto second = rig.next_job();
    assert_true(second.has_value());
    rig.store_page(MadeFor::anybody, 1);
    rig.queue.finish(second->lease);
    assert_true(rig.got.get().has_value());
}

TEST(a_page_that_never_does_is_not_asked_for_all_the_time) {
    Rig rig;
    rig.begin();
    int jobs = 0;
    while (auto job = rig.next_job()) {
        jobs++;
        rig.store_page(MadeFor::visitor);
        rig.queue.finish(job->lease);
    }
    assert_false(rig.got.get().has_value());
    assert_true(jobs > 1 && jobs < 10);
}

// A fragment that is older than a purge of its page was not purged by that.
TEST(each_entry_is_given_with_its_own_fence) {
    Rig rig;
    for (std::uint64_t fence : {5, 3}) {
        rig.begin();
        auto job = rig.next_job();
        rig.store_page(MadeFor::anybody, fence);
        rig.queue.finish(job->lease);
        assert_true(rig.got.get().has_value());
        rig.store.remove(rig.key);
    }
    auto given = rig.source.take_given();
    assert_int_equal(given.size(), 2);
    assert_int_equal(given[0].fence, 5);
    assert_int_equal(given[1].fence, 3);
    assert_true(rig.source.take_given().empty());
}

TEST_MAIN("prerender/page_source")
