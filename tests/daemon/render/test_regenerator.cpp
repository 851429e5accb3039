// A job from its claim to its end, with a fake queue, store and backend.
#include "daemon/render/regenerator.hpp"

#include <condition_variable>

#include "cache/job.hpp"
#include "cache/request/key.hpp"
#include "cache/response/revalidate.hpp"
#include "daemon/queue/memory_queue.hpp"
#include "daemon/queue/new_job.hpp"
#include "tests/cmocka.hpp"
#include "tests/daemon/test_store.hpp"

using namespace larder;
using namespace larder::daemon;
using namespace std::chrono_literals;

namespace {

// The queue in memory, which can be made unreachable.
class TestQueue : public MemoryQueue {
public:
    TestQueue() : MemoryQueue({15s, 3, 60s}, 1000) { announce(24h); }
    Finished finish(const Lease& lease) override { return there(), MemoryQueue::finish(lease); }
    Failed fail(const Lease& lease, std::chrono::milliseconds wait, Attempt attempt) override {
        last_wait = wait;
        last_attempt = attempt;
        return there(), MemoryQueue::fail(lease, wait, attempt);
    }
    bool postpone(const Lease& lease, std::chrono::milliseconds delay) override {
        return there(), MemoryQueue::postpone(lease, delay);
    }

    bool away = false;
    std::chrono::milliseconds last_wait{};
    Attempt last_attempt = Attempt::counts;

private:
    void there() const {
        if (away) throw std::runtime_error("the queue is away");
    }
};

class TestBackend : public Backends {
public:
    void call(BackendRequest request, Done done) override {
        asked = std::move(request);
        BackendAnswer got = answer;
        got.request_ms = got.response_ms = unix_ms();
        done(std::move(got));
    }
    BackendAnswer answer;
    BackendRequest asked;
};

BackendAnswer answer(std::uint16_t status, std::string body = "page",
                     std::vector<std::pair<std::string, std::string>> more = {}) {
    BackendAnswer out;
    out.status = status;
    out.headers = {{"Content-Type", "text/html"}};
    if (status == 200) out.headers.emplace_back("Cache-Control", "max-age=1, stale-while-revalidate=600");
    out.headers.insert(out.headers.end(), more.begin(), more.end());
    out.body = std::move(body);
    return out;
}

Stores::ByName by_name(Store* store) {
    Stores::ByName out;
    out["main"].reset(store);
    return out;
}

struct Rig {
    Rig() {
        PageAddress page{"http", "example.com", "/x", ""};
        job.reason = JobReason::manual;  // so that it is rendered even if the page is fresh
        job.store = "main";
        job.enqueued_ms = unix_ms();
        job.variant = plain_variant(page);
        key = key_of(job.variant).text();
    }

    // Runs the job once and returns its outcome; "NONE" if it has none.
    std::string run() {
        queue.enqueue(key, encode_job(job), -1s, true);
        std::vector<Claim> claims = queue.claim(1);
        if (claims.empty()) return "no job";
        claims[0].age = age;
        return run(claims[0]);
    }
    std::string run(const Claim& claim) {
        std::mutex mutex;
        std::condition_variable changed;
        std::string outcome = "NONE";
        bool over = false;
        std::shared_ptr<void> in_hand(nullptr, [&](void*) {
            std::lock_guard lock(mutex);
            over = true;
            changed.notify_all();
        });
        regenerator.start(claim,
                          [&outcome, in_hand = std::move(in_hand)](Outcome how) { outcome = to_string(how); });
        std::unique_lock lock(mutex);
        changed.wait_for(lock, 10s, [&] { return over; });
        return outcome;
    }
    std::string stored() const {
        auto found = store->entries.find(key);
        return found == store->entries.end() ? "" : std::string(EntryView::trusted(found->second).body());
    }
    std::size_t inside() const { return gate.load()["site"].inside; }

    LiveSettings settings{
        parse_settings("[api]\ntoken=\"0123456789abcdef0\"\n[[store]]\nname=\"main\"\nurl=\"redis://a\"\n"
                       "[[backend]]\nname=\"site\"\nhosts=[\"*.com\", \"example.com\"]\nurl=\"http://b\"\n",
                       "test")};
    TestQueue queue;
    TestStore* store = new TestStore;  // owned by the next
    Stores stores{"main", by_name(store)};
    TestBackend backend;
    Gate gate;
    Metrics metrics;
    bool hold = false;
    std::chrono::milliseconds age{}, waited{};
    Job job;
    std::string key;
    Workers workers{2};
    Regenerator regenerator{{settings, queue, stores, workers, backend, gate, metrics,
                             [this](const Job&, const Variant&, std::span<const std::string>, std::chrono::milliseconds so_long,
                                    std::int64_t) {
                                 waited = so_long;
                                 Route route;
                                 route.hold = hold;
                                 route.retry_after = 0ms;
                                 return route;
                             }}};
};

}  // namespace

TEST(a_page_is_rendered_and_stored) {
    Rig rig;
    rig.backend.answer = answer(200);
    assert_text_equal(rig.run(), "stored");
    assert_text_equal(rig.stored(), "page");
    assert_int_equal(rig.inside(), 0);
}

TEST(a_place_is_given_back_once_whatever_is_away) {
    Rig rig;
    rig.backend.answer = answer(200);
    rig.hold = true;
    assert_text_equal(rig.run(), "postponed");
    assert_int_equal(rig.inside(), 0);
    Claim claim = rig.queue.claim(1).at(0);
    rig.queue.away = true;
    assert_text_equal(rig.run(claim), "lost");
    assert_int_equal(rig.inside(), 0);
    rig.hold = false;
    assert_text_equal(rig.run(claim), "lost");  // it was stored, but the queue doesn't know that
    assert_int_equal(rig.inside(), 0);
    rig.queue.away = false;
    rig.store->away = true;
    assert_text_equal(rig.run(claim), "failed");
    assert_int_equal(rig.inside(), 0);
}

TEST(an_outage_counts_no_attempt_and_a_failure_does) {
    Rig rig;
    rig.store->away = true;
    rig.run();
    assert_true(rig.queue.last_attempt == Attempt::free);
    Rig second;
    second.backend.answer.error = "connection refused";
    second.backend.answer.unreachable = true;
    second.age = 10min;
    second.run();
    assert_true(second.queue.last_attempt == Attempt::free);
    assert_true(second.queue.last_wait == 30s);  // the wait grows with the outage, up to this limit
    Rig third;
    third.backend.answer = answer(500);
    assert_text_equal(third.run(), "failed");
    assert_true(third.queue.last_attempt == Attempt::counts);
}

TEST(a_failure_never_replaces_a_good_page) {
    for (std::uint16_t status : std::initializer_list<std::uint16_t>{403, 429, 500, 503, 599}) {
        Rig rig;
        rig.backend.answer = answer(200);
        rig.run();
        rig.backend.answer = answer(status, "sorry", {{"Cache-Control", "max-age=5"}});
        assert_text_equal(rig.run(), "failed");
        assert_text_equal(rig.stored(), "page");
    }
    Rig rig;
    rig.backend.answer = answer(200);
    rig.run();
    rig.backend.answer = answer(410, "gone", {{"Cache-Control", "max-age=5"}});
    assert_text_equal(rig.run(), "stored");
    assert_text_equal(rig.stored(), "gone");
    rig.backend.answer = answer(403, "no", {{"Cache-Control", "max-age=5"}});
    assert_text_equal(rig.run(), "failed");  // must not replace the 410, which is not a failure
    Rig empty;
    empty.backend.answer = answer(403, "no", {{"Cache-Control", "max-age=5"}});
    assert_text_equal(empty.run(), "stored");
}

TEST(the_site_says_when_to_come_again) {
    for (auto [text, seconds] :
         {std::pair("60", 60), {"Sat, 28 Nov 2026 10:01:30 GMT", 90}, {"99999999", 3600}}) {
        Rig rig;
        rig.backend.answer =
            answer(503, "", {{"Retry-After", text}, {"Date", "Sat, 28 Nov 2026 10:00:00 GMT"}});
        rig.run();
        assert_int_equal(rig.queue.last_wait.count(), seconds * 1000);
    }
    for (const char* text : {"soon", "-5", "", "Sat, 28 Nov 2026 09:00:00 GMT"}) {
        Rig rig;
        rig.backend.answer =
            answer(503, "", {{"Retry-After", text}, {"Date", "Sat, 28 Nov 2026 10:00:00 GMT"}});
        rig.run();
        assert_true(rig.queue.last_wait <= 1s);
    }
}

TEST(what_no_daemon_can_do_is_left_to_nginx) {
    Rig rig;
    rig.store->full = true;
    rig.backend.answer = answer(200);
    assert_text_equal(rig.run(), "refused");
    assert_text_equal(to_string(rig.queue.enqueue(rig.key, "job", 0ms, false)), "refused");
    Rig elsewhere;
    elsewhere.job.variant = plain_variant({"http", "example.org", "/", ""});
    elsewhere.key = key_of(elsewhere.job.variant).text();
    assert_text_equal(elsewhere.run(), "refused");
    assert_text_equal(to_string(elsewhere.queue.enqueue(elsewhere.key, "job", 0ms, true)), "refused");
}

// Even if it was purged repeatedly: the queue keeps the age.
TEST(the_routers_patience_is_used_up_by_the_jobs_age) {
    Rig rig;
    rig.age = 25s;
    rig.job.enqueued_ms = unix_ms();
    rig.hold = true;
    rig.run();
    assert_true(rig.waited >= 25s);
}

TEST(a_job_of_another_store_of_that_name_is_left_to_nginx) {
    Rig rig;
    rig.backend.answer = answer(200);
    rig.store->own_identity = 7;
    rig.job.store_identity = 7;
    assert_text_equal(rig.run(), "stored");
    rig.job.store_identity = 0;  // enqueued by an nginx that doesn't know it yet
    assert_text_equal(rig.run(), "stored");
    rig.store->own_identity = 8;  // the store was emptied
    rig.job.store_identity = 8;
    assert_text_equal(rig.run(), "stored");
    rig.job.store_identity = 7;  // nginx has not noticed that yet
    assert_text_equal(rig.run(), "stored");
    rig.job.store_identity = 9;
    assert_text_equal(rig.run(), "refused");
}

TEST(a_refresh_by_hand_is_done_whatever_else_is_queued_or_running) {
    Rig rig;
    rig.backend.answer = answer(200, "old", {{"Surrogate-Control", "max-age=600"}});
    rig.run();
    rig.backend.answer = answer(200, "new");
    auto enqueue = [&rig](JobReason reason) {
        return enqueue_new(rig.queue, reason, "main", Policy{}, {}, rig.job.variant);
    };
    enqueue(JobReason::stale);
    assert_true(enqueue(JobReason::manual) == Enqueued::raised);
    assert_text_equal(rig.run(rig.queue.claim(1).at(0)), "stored");  // not skipped, though the page is fresh
    assert_text_equal(rig.stored(), "new");
    enqueue(JobReason::stale);
    Claim running = rig.queue.claim(1).at(0);
    assert_true(enqueue(JobReason::manual) == Enqueued::dirty);  // what runs may have begun before the site's change
    rig.queue.finish(running.lease);
    assert_int_equal(rig.queue.claim(1).size(), 1);
}

TEST_MAIN("regenerator")
