// Tests of the contract of Queue. Each implementation's test program includes this file and defines:
//   std::unique_ptr<Queue> make_queue();   an empty queue that takes jobs, with `limits`
//   void pass(std::chrono::milliseconds);  advances the queue's clock
#pragma once

#include <algorithm>

#include "cache/priority.hpp"
#include "daemon/queue/queue.hpp"
#include "tests/cmocka.hpp"

namespace larder::test {

using namespace larder::daemon;
using namespace std::chrono_literals;

inline const QueueLimits limits{300ms, 3, 400ms};

std::unique_ptr<Queue> make_queue();
void pass(std::chrono::milliseconds time);

inline Claim claim_one(Queue& queue) {
    std::vector<Claim> claims = queue.claim(16);
    if (claims.size() != 1)
        throw std::runtime_error("expected one job, got " + std::to_string(claims.size()));
    return claims[0];
}

// Lets the job fail until it is given up.
inline void make_give_up(Queue& queue) {
    for (unsigned i = 0; i < limits.attempts; i++) {
        queue.reap();
        queue.fail(claim_one(queue).lease, 0ms, Attempt::counts);
    }
}

#define assert_word(result, word) assert_text_equal(to_string(result), word)

TEST(a_job_is_claimed_once_and_gone_when_finished) {
    auto queue = make_queue();
    assert_word(queue->enqueue("k", "job", 0ms, false), "new");
    assert_true(queue->pending("k"));
    Claim claim = claim_one(*queue);
    assert_text_equal(claim.lease.key, "k");
    assert_text_equal(claim.job, "job");
    assert_int_equal(claim.failed_attempts, 0);
    assert_int_equal(queue->claim(16).size(), 0);
    assert_true(queue->finish(claim.lease) == Finished::removed);
    assert_false(queue->pending("k"));
    assert_true(queue->finish(claim.lease) == Finished::lost);
    assert_word(queue->enqueue("k", "job", 0ms, false), "new");
}

TEST(one_job_for_a_key_however_many_ask) {
    auto queue = make_queue();
    queue->enqueue("k", "first", 0ms, false);
    for (int i = 0; i < 10; i++) assert_word(queue->enqueue("k", "later", 1000ms, false), "dup");
    assert_text_equal(claim_one(*queue).job, "first");
    assert_word(queue->enqueue("k", "more", 0ms, false), "running");
}

TEST(an_earlier_due_time_raises_a_job_and_order_is_by_due_time) {
    auto queue = make_queue();
    queue->enqueue("late", "1", -10ms, false);
    queue->enqueue("future", "2", 60s, false);
    queue->enqueue("early", "3", 60s, false);
    assert_word(queue->enqueue("early", "4", -5000ms, false), "raised");
    assert_word(queue->enqueue("early", "5", 0ms, false), "dup");
    std::vector<Claim> claims = queue->claim(16);
    assert_int_equal(claims.size(), 2);
    assert_text_equal(claims[0].lease.key, "early");
    assert_text_equal(claims[0].job, "3");
    assert_text_equal(claims[1].lease.key, "late");
}

// The bulk purge has many jobs, all of which are older.
TEST(what_somebody_waits_for_goes_first_and_keeps_the_title) {
    auto queue = make_queue();
    queue->enqueue("bulk", "1", delay_of(JobReason::purge), true);
    queue->enqueue("few", "2", few_purged_delay, true);
    queue->enqueue("visited", "3", delay_of(JobReason::stale), false);
    std::vector<Claim> claims = queue->claim(16);
    assert_int_equal(claims.size(), 3);
    assert_true(claims[0].lease.key == "visited" && claims[0].overdue >= -visited_delay);
    assert_true(claims[1].lease.key == "few" && claims[1].overdue >= -few_purged_delay);
    assert_true(claims[2].lease.key == "bulk" && claims[2].overdue < -few_purged_delay);
    queue->enqueue("visited", "purge", delay_of(JobReason::purge), true);
    queue->finish(claims[0].lease);
    assert_true(claim_one(*queue).overdue >= -few_purged_delay);  // it was purged during the render
}

TEST(limits_change_while_it_runs) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    queue->set_limits({limits.lease, 1, limits.give_up_for});
    assert_true(queue->fail(claim_one(*queue).lease, 0ms, Attempt::counts) == Failed::given_up);
}

TEST(a_claim_takes_at_most_so_many) {
    auto queue = make_queue();
    for (char c = 'a'; c < 'h'; c++) queue->enqueue(std::string(1, c), "job", 0ms, false);
    assert_int_equal(queue->claim(5).size(), 5);
    assert_int_equal(queue->claim(5).size(), 2);
}

TEST(an_urgent_job_replaces_the_bytes_of_a_queued_one) {
    auto queue = make_queue();
    queue->enqueue("k", "stale", 0ms, false);
    assert_word(queue->enqueue("k", "purge", 0ms, true), "dup");
    assert_text_equal(claim_one(*queue).job, "purge");
}

// Otherwise a page that is purged again and again would always seem to be new.
TEST(a_job_whose_bytes_are_replaced_keeps_its_age) {
    auto queue = make_queue();
    auto job = [](const char* reason) { return std::string(reason, 6) + std::string(8, 'x') + "the rest"; };
    queue->enqueue("k", job("first."), 0ms, false);
    pass(80ms);
    queue->enqueue("k", job("second"), 0ms, true);
    Claim claim = claim_one(*queue);
    assert_true(claim.age >= 80ms && claim.age < 60s);
    assert_true(claim.job.starts_with("second") && claim.job.ends_with("the rest"));
    queue->enqueue("k", job("third."), 0ms, true);  // during the lease
    queue->postpone(claim.lease, 0ms);
    claim = claim_one(*queue);
    assert_true(claim.age >= 80ms && claim.job.starts_with("third."));
    queue->enqueue("k", job("fourth"), 0ms, true);
    auto since = [begin = std::chrono::steady_clock::now()] {
        return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin) + 2ms;
    };
    queue->finish(claim.lease);
    claim = claim_one(*queue);  // the former job has ended
    assert_true(claim.age <= since() && claim.job.starts_with("fourth"));
    queue->finish(claim.lease);
    queue->enqueue("k", job("fifth."), 0ms, false);
    assert_true(claim_one(*queue).age <= since());
}

TEST(an_urgent_job_during_a_run_makes_it_run_once_more) {
    auto queue = make_queue();
    queue->enqueue("k", "stale", 0ms, false);
    Claim first = claim_one(*queue);
    assert_word(queue->enqueue("k", "purge 1", 0ms, true), "dirty");
    assert_word(queue->enqueue("k", "purge 2", 0ms, true), "dirty");
    assert_true(queue->finish(first.lease) == Finished::requeued);
    Claim second = claim_one(*queue);
    assert_text_equal(second.job, "purge 2");
    assert_true(queue->finish(second.lease) == Finished::removed);
}

TEST(run_again_does_not_replace_what_a_purge_has_asked_for) {
    auto queue = make_queue();
    queue->enqueue("k", "stale", 0ms, false);
    Claim first = claim_one(*queue);
    queue->run_again(first.lease, "again");
    assert_word(queue->enqueue("k", "purge", 0ms, true), "dirty");
    queue->run_again(first.lease, "again");
    assert_true(queue->finish(first.lease) == Finished::requeued);
    Claim second = claim_one(*queue);
    assert_text_equal(second.job, "purge");
    queue->run_again(second.lease, "again");
    assert_true(queue->finish(second.lease) == Finished::requeued);
    assert_text_equal(claim_one(*queue).job, "again");
}

TEST(a_failed_job_waits_for_its_back_off_whoever_asks_meanwhile) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    assert_true(queue->fail(claim_one(*queue).lease, 200ms, Attempt::counts) == Failed::waiting);
    assert_word(queue->enqueue("k", "visitor", -60s, false), "running");
    assert_true(queue->pending("k"));
    queue->reap();
    assert_int_equal(queue->claim(16).size(), 0);
    pass(250ms);
    assert_int_equal(queue->reap(), 0);
    Claim again = claim_one(*queue);
    assert_int_equal(again.failed_attempts, 1);
    assert_text_equal(again.job, "job");
}

TEST(a_purge_during_back_off_replaces_the_job_that_will_run) {
    auto queue = make_queue();
    queue->enqueue("k", "stale", 0ms, false);
    queue->fail(claim_one(*queue).lease, 100ms, Attempt::counts);
    assert_word(queue->enqueue("k", "purge", 0ms, true), "dirty");
    pass(150ms);
    queue->reap();
    Claim again = claim_one(*queue);
    assert_text_equal(again.job, "purge");
    assert_true(queue->finish(again.lease) == Finished::removed);
}

TEST(a_failure_that_is_not_the_jobs_fault_counts_no_attempt) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    for (unsigned i = 0; i < limits.attempts + 2; i++) {
        Claim claim = claim_one(*queue);
        assert_int_equal(claim.failed_attempts, 0);
        assert_true(queue->fail(claim.lease, 10ms, Attempt::free) == Failed::waiting);
        assert_word(queue->enqueue("k", "visitor", 0ms, false), "running");
        pass(20ms);
        queue->reap();
    }
}

TEST(a_refused_job_is_told_to_all_who_ask_for_a_while) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    Lease lease = claim_one(*queue).lease;
    queue->enqueue("k", "purge", 0ms, true);
    assert_true(queue->refuse(lease));
    assert_false(queue->refuse(lease));
    assert_false(queue->pending("k"));
    assert_word(queue->enqueue("k", "visitor", 0ms, false), "refused");
    assert_word(queue->enqueue("k", "purge", 0ms, true), "refused");
    queue->reap();
    assert_int_equal(queue->claim(16).size(), 0);
    pass(500ms);
    queue->reap();
    assert_int_equal(queue->claim(16).size(), 0);
    assert_word(queue->enqueue("k", "visitor", 0ms, false), "new");
    assert_text_equal(claim_one(*queue).job, "visitor");
}

TEST(a_job_that_fails_too_often_is_given_up_and_forgotten_after_a_while) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    make_give_up(*queue);
    assert_false(queue->pending("k"));
    assert_int_equal(queue->depths().given_up, 1);
    assert_word(queue->enqueue("k", "visitor", 0ms, false), "running");
    pass(500ms);
    queue->reap();
    assert_int_equal(queue->claim(16).size(), 0);
    assert_word(queue->enqueue("k", "visitor", 0ms, false), "new");
    assert_int_equal(claim_one(*queue).failed_attempts, 0);
}

TEST(a_purge_of_a_given_up_job_runs_when_the_while_is_over) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    make_give_up(*queue);
    assert_word(queue->enqueue("k", "purge", 0ms, true), "dirty");
    pass(500ms);
    queue->reap();
    Claim again = claim_one(*queue);
    assert_text_equal(again.job, "purge");
    assert_int_equal(again.failed_attempts, 0);
}

TEST(a_postponed_job_comes_back_without_counting_an_attempt) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    Claim claim = claim_one(*queue);
    assert_true(queue->postpone(claim.lease, 100ms));
    assert_int_equal(queue->claim(16).size(), 0);
    assert_false(queue->postpone(claim.lease, 0ms));
    pass(150ms);
    assert_int_equal(claim_one(*queue).failed_attempts, 0);
}

TEST(a_job_in_hand_that_is_postponed_is_due_when_it_was_asked_for) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    Claim claim = claim_one(*queue);
    assert_word(queue->enqueue("k", "purge", few_purged_delay, true), "dirty");
    assert_true(queue->postpone(claim.lease, 100ms));
    claim = claim_one(*queue);
    assert_text_equal(claim.job, "purge");
    assert_true(claim.overdue >= -few_purged_delay && claim.overdue < -visited_delay);
    assert_word(queue->enqueue("k", "visit", visited_delay, false), "running");
    assert_word(queue->enqueue("k", "bulk", 0ms, false), "running");
    assert_true(queue->postpone(claim.lease, 100ms));
    claim = claim_one(*queue);
    assert_text_equal(claim.job, "purge");
    assert_true(claim.overdue >= -visited_delay);
    assert_true(queue->postpone(claim.lease, 100ms));
    assert_int_equal(queue->claim(16).size(), 0);  // it was not enqueued again
}

TEST(a_lease_that_expires_gives_the_job_to_the_next_daemon) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    Claim dead = claim_one(*queue);
    assert_int_equal(queue->reap(), 0);
    pass(350ms);
    assert_int_equal(queue->reap(), 1);
    Claim next = claim_one(*queue);
    assert_int_equal(next.failed_attempts, 1);
    assert_true(dead.lease.token != next.lease.token);
    assert_true(queue->finish(dead.lease) == Finished::lost);
    assert_true(queue->fail(dead.lease, 0ms, Attempt::counts) == Failed::lost);
    queue->run_again(dead.lease, "a dead daemon's wish");
    assert_true(queue->finish(next.lease) == Finished::removed);
}

TEST(a_purge_of_a_job_whose_daemon_died_is_not_run_twice) {
    auto queue = make_queue();
    queue->enqueue("k", "stale", 0ms, false);
    claim_one(*queue);
    queue->enqueue("k", "purge", 0ms, true);
    pass(350ms);
    queue->reap();
    Claim next = claim_one(*queue);
    assert_text_equal(next.job, "purge");
    assert_true(queue->finish(next.lease) == Finished::removed);
}

TEST(a_renewed_lease_does_not_expire_and_a_lost_one_is_told) {
    auto queue = make_queue();
    queue->enqueue("a", "job", 0ms, false);
    Lease lease = claim_one(*queue).lease;
    for (int i = 0; i < 4; i++) {
        pass(100ms);
        assert_int_equal(queue->renew({lease}).size(), 0);
        assert_int_equal(queue->reap(), 0);
    }
    Lease other{"b", lease.token};
    std::vector<Lease> lost = queue->renew({lease, other});
    assert_int_equal(lost.size(), 1);
    assert_text_equal(lost[0].key, "b");
}

TEST(nothing_is_queued_while_nobody_takes_jobs) {
    auto queue = make_queue();
    queue->announce(0ms);
    assert_word(queue->enqueue("k", "job", 0ms, true), "nodaemon");
    queue->announce(100ms);
    assert_word(queue->enqueue("k", "job", 0ms, false), "new");
    pass(150ms);
    assert_word(queue->enqueue("k", "job", 0ms, false), "nodaemon");
}

TEST(depths_count_each_job_once) {
    auto queue = make_queue();
    for (const char* key : {"running", "waiting"}) queue->enqueue(key, "job", -1ms, false);
    std::vector<Claim> claims = queue->claim(2);
    for (const Claim& claim : claims) {
        if (claim.lease.key == "waiting") queue->fail(claim.lease, 60s, Attempt::counts);
    }
    queue->enqueue("due", "job", -1ms, false);
    queue->enqueue("future", "job", 60s, false);
    QueueDepths depths = queue->depths();
    assert_int_equal(depths.queued, 2);
    assert_int_equal(depths.due, 1);
    assert_int_equal(depths.running, 1);
    assert_int_equal(depths.waiting, 1);
    assert_int_equal(depths.given_up, 0);
}

TEST(any_bytes_are_a_job) {
    auto queue = make_queue();
    std::string bytes("\0\r\n\xff*3", 7);
    queue->enqueue("k", bytes, 0ms, false);
    assert_text_equal(claim_one(*queue).job, bytes);
}

TEST(a_job_whose_daemon_died_keeps_the_place_that_it_was_asked_for) {
    auto queue = make_queue();
    queue->enqueue("k", "job", 0ms, false);
    claim_one(*queue);
    assert_word(queue->enqueue("k", "visit", visited_delay, false), "running");
    pass(limits.lease + 100ms);
    assert_int_equal(queue->reap(), 1);
    Claim claim = claim_one(*queue);
    assert_true(claim.overdue >= -visited_delay);
    assert_true(queue->fail(claim.lease, 10ms, Attempt::free) == Failed::waiting);
    pass(20ms);
    queue->reap();
    assert_true(claim_one(*queue).overdue < -visited_delay);  // that was the other job's
}

}  // namespace larder::test
