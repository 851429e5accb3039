// The rules of choice, as tables, and the distribution of random choices.
#include "daemon/replicas/decide/choice.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "tests/cmocka.hpp"

using namespace larder::replicas;

namespace {

constexpr std::int64_t no_lag = -1;

// One server: role and rotation as a letter (P primary, I replica in rotation, o replica out of it, .
// unknown, Q quarantined).
Candidate server(char kind, std::int64_t lag_ms = 0, Lsn replayed = 100, std::uint32_t timeline = 1) {
    Candidate c;
    c.role = kind == 'P'   ? Role::primary
             : kind == '.' ? Role::unknown
             : kind == 'Q' ? Role::quarantined
                           : Role::replica;
    c.in_rotation = kind == 'I';
    if (lag_ms != no_lag) c.lag = {lag_ms, Bound::exact};
    c.replayed = replayed;
    c.timeline = timeline;
    return c;
}

struct Case {
    std::vector<Candidate> nodes;
    Class urgency = Class::background;
    Fence fence = {};
    double patience = 0;
    unsigned on_primary = 0;
    bool token = true;
    std::uint32_t timeline = 1;
};

Decision run(const Case& c, int* tokens = nullptr) {
    Situation s;
    s.nodes = c.nodes;
    s.timeline = c.timeline;
    s.primary_answers = std::any_of(c.nodes.begin(), c.nodes.end(),
                                    [](const Candidate& n) { return n.role == Role::primary; });
    s.hard_max_lag_ms = 5000;
    s.background_on_primary = s.live_on_primary = c.on_primary;
    s.primary_jobs = 2;
    s.primary_live = 4;
    s.take_primary_token = [&] {
        if (tokens != nullptr) ++*tokens;
        return c.token;
    };
    s.random = [] { return 0.0; };
    return decide(s, c.urgency, c.fence, c.patience);
}

constexpr Fence none{};
constexpr Fence unclear{FenceKind::unclear, 0, 0};
constexpr Fence at(Lsn lsn, std::uint32_t timeline = 1) {
    return {FenceKind::position, timeline, lsn};
}
constexpr Class bg = Class::background;
constexpr Class live = Class::live;
constexpr int hold = -1;

}  // namespace

TEST(the_ladder) {
    struct {
        const char* what;
        Case c;
        int expected;
    } rows[] = {
        {"a replica in rotation, not the primary", {{server('P'), server('I')}}, 1},
        {"the same for someone who waits", {{server('P'), server('I')}, live}, 1},
        {"only those in rotation", {{server('P'), server('o'), server('I')}}, 2},
        {"never a quarantined or a silent one", {{server('P'), server('Q'), server('.')}, live}, 0},
        {"the one that has replayed",
         {{server('P'), server('I', 0, 99), server('I', 0, 100)}, bg, at(100)},
         2},
        {"nobody has: hold", {{server('P'), server('I', 0, 99), server('I', 0, 98)}, bg, at(100)}, hold},
        {"nobody has, end of patience: primary", {{server('P'), server('I', 0, 99)}, bg, at(100), 0.8}, 0},
        {"nobody has, just before", {{server('P'), server('I', 0, 99)}, bg, at(100), 0.79}, hold},
        {"nobody has, someone waits: primary", {{server('P'), server('I', 0, 99)}, live, at(100)}, 0},
        {"replayed as far on another timeline is no replay",
         {{server('P'), server('I', 0, 200, 2)}, live, at(100)},
         0},
        {"none in rotation: hold", {{server('P'), server('o', 2000)}}, hold},
        {"none in rotation, end of patience: least-lagged",
         {{server('P'), server('o', 3000), server('o', 2000)}, bg, none, 0.8},
         2},
        {"none in rotation, someone waits: least-lagged",
         {{server('P'), server('o', 2000), server('o', 3000)}, live},
         1},
        {"least-lagged with the fence",
         {{server('P'), server('o', 2000, 99), server('o', 3000, 100)}, live, at(100)},
         2},
        {"beyond the hard limit: primary", {{server('P'), server('o', 5001)}, live}, 0},
        {"at the hard limit", {{server('P'), server('o', 5000)}, live}, 1},
        {"unknown lag is too much", {{server('P'), server('o', no_lag)}, live}, 0},
        {"least-lagged, but on another timeline", {{server('P'), server('o', 10, 100, 2)}, live}, 0},
        {"the primary is full: hold", {{server('P'), server('o', 9000)}, bg, none, 1, 2}, hold},
        {"the primary has room", {{server('P'), server('o', 9000)}, bg, none, 1, 1}, 0},
        {"the primary has no token", {{server('P'), server('o', 9000)}, bg, none, 1, 0, false}, hold},
        {"someone who waits needs no token", {{server('P'), server('o', 9000)}, live, none, 0, 3, false}, 0},
        {"the primary is full of those too", {{server('P'), server('o', 9000)}, live, none, 0, 4}, hold},
        {"unclear: hold for a probe", {{server('P'), server('I')}, bg, unclear}, hold},
        {"unclear, someone waits: primary", {{server('P'), server('I')}, live, unclear}, 0},
        {"unclear, end of patience: primary", {{server('P'), server('I')}, bg, unclear, 0.9}, 0},
        {"unclear, end of patience, primary full", {{server('P'), server('I')}, bg, unclear, 0.9, 2}, hold},
        {"unclear, no primary: hold", {{server('.'), server('I')}, live, unclear}, hold},
        {"no primary: replicas in rotation", {{server('.'), server('o', 1), server('I')}}, 2},
        {"no primary, none in rotation: any", {{server('.'), server('o', 99999)}}, 1},
        {"no primary, unknown freshness", {{server('.'), server('o', no_lag)}, bg, none, 0, 0, true, 0}, 1},
        {"no primary, but of its timeline",
         {{server('.'), server('o', 0, 100, 1), server('o', 0, 100, 2)}, bg, none, 0, 0, true, 2},
         2},
        {"no primary: the fence still holds",
         {{server('.'), server('I', 0, 99), server('o', 0, 100)}, bg, at(100)},
         2},
        {"no primary, nobody has replayed", {{server('.'), server('I', 0, 99)}, live, at(100), 1}, hold},
        {"no primary, older timeline",
         {{server('.'), server('I', 0, 100, 2)}, live, at(1, 1), 1, 0, true, 2},
         hold},
        {"nobody at all", {{server('.'), server('.')}, live}, hold},
        {"a primary alone", {{server('P')}}, hold},
        {"a primary alone, someone waits", {{server('P')}, live}, 0},
    };
    for (const auto& row : rows) {
        print_message("%s\n", row.what);
        Decision decision = run(row.c);
        assert_int_equal(decision.node ? static_cast<int>(*decision.node) : hold, row.expected);
        assert_true(*decision.reason != '\0');
        assert_true(decision.primary == (decision.node && row.c.nodes[*decision.node].role == Role::primary));
        assert_true(decision.node ? decision.retry_after_ms == 0 : decision.retry_after_ms > 0);
    }
}

TEST(a_token_is_taken_only_when_it_is_used) {
    int tokens = 0;
    run({{server('P'), server('I')}, bg}, &tokens);
    run({{server('P'), server('o', 9000)}, bg, none, 1, 2}, &tokens);
    run({{server('P'), server('o', 9000)}, live}, &tokens);
    run({{server('.'), server('o', 9000)}, bg, unclear, 1}, &tokens);
    assert_int_equal(tokens, 0);
    run({{server('P'), server('o', 9000)}, bg, none, 1}, &tokens);
    assert_int_equal(tokens, 1);
}

TEST(the_stricter_of_two_fences_satisfies_both) {
    auto same = [](const Fence& a, const Fence& b) {
        return a.kind == b.kind && a.timeline == b.timeline && a.lsn == b.lsn;
    };
    assert_true(same(stricter(none, none), none));
    assert_true(same(stricter(none, at(5)), at(5)) && same(stricter(at(5), none), at(5)));
    assert_true(same(stricter(at(5), at(6)), at(6)) && same(stricter(at(6), at(5)), at(6)));
    assert_true(same(stricter(at(1, 2), at(6)), at(1, 2)));
    assert_true(same(stricter(unclear, at(6)), unclear) && same(stricter(at(6), unclear), unclear));
}

TEST(waiting_for_a_replay_is_short_and_for_a_recovery_is_not) {
    Decision replay = run({{server('P'), server('I', 0, 99)}, bg, at(100)});
    assert_true(replay.awaits_probe);
    assert_int_equal(replay.retry_after_ms, 20);
    assert_int_equal(
        run({{server('P'), server('I', 300, 99), server('I', 200, 99)}, bg, at(100)}).retry_after_ms, 200);
    Decision recovery = run({{server('P'), server('o', 2000)}});
    assert_false(recovery.awaits_probe);
    assert_int_equal(recovery.retry_after_ms, 1250);
    assert_int_equal(run({{server('P'), server('o', 6000)}}).retry_after_ms, 3000);
    assert_int_equal(run({{server('P'), server('o', 3600000)}}).retry_after_ms, 1250);
}

namespace {

// How often each node is chosen in 10,000 choices. `busy`: each choice increases the node's in_flight.
std::vector<int> shares(std::vector<Candidate> nodes, bool busy) {
    std::mt19937_64 generator(4711);
    std::uniform_real_distribution<double> uniform;
    std::vector<int> counts(nodes.size());
    for (int i = 0; i < 10000; i++) {
        Situation s;
        s.nodes = nodes;
        s.timeline = 1;
        s.primary_answers = true;
        s.random = [&] { return uniform(generator); };
        std::size_t chosen = *decide(s, bg, none, 0).node;
        counts[chosen]++;
        if (busy) nodes[chosen].in_flight++;
    }
    return counts;
}

Candidate weighted(unsigned weight, double latency_ms = 0.1, unsigned in_flight = 0, double busy = 0) {
    Candidate c = server('I');
    c.weight = weight;
    c.latency_ms = latency_ms;
    c.in_flight = in_flight;
    c.busy = busy;
    return c;
}

}  // namespace

TEST(idle_replicas_share_by_weight) {
    auto counts = shares({server('P'), weighted(1, 0.2), weighted(1, 0.1)}, false);
    assert_int_equal(counts[0], 0);
    assert_in_range(counts[1], 4700, 5300);
    counts = shares({server('P'), weighted(3), weighted(1)}, false);
    assert_in_range(counts[1], 7200, 7800);
}

TEST(busy_replicas_share_by_weight) {
    auto counts = shares({server('P'), weighted(1), weighted(1)}, true);
    assert_in_range(counts[1], 4900, 5100);
    counts = shares({server('P'), weighted(3), weighted(1)}, true);
    assert_in_range(counts[1], 7300, 7700);
    counts = shares({server('P'), weighted(1), weighted(1), weighted(2)}, true);
    assert_in_range(counts[3], 4500, 5500);
}

TEST(of_two_the_cheaper_is_taken) {
    assert_int_equal(shares({server('P'), weighted(1, 0.1, 1), weighted(1)}, false)[1], 0);
    assert_int_equal(shares({server('P'), weighted(1, 5.0), weighted(1)}, false)[1], 0);
    assert_int_equal(shares({server('P'), weighted(1, 0.1, 0, 0.5), weighted(1)}, false)[1], 0);
    // Latencies below a millisecond, and differences within a tenth, don't count.
    assert_in_range(shares({server('P'), weighted(1, 0.9, 0, 0.05), weighted(1)}, false)[1], 4700, 5300);
}

TEST(of_many_no_herd_forms) {
    // With numbers that don't change, the cheapest of eight nodes gets a quarter of the work (it is in 7 of 28 pairs), not
    // all of it.
    std::vector<Candidate> nodes(8, weighted(1, 0.1, 5));
    nodes[3].in_flight = 0;
    assert_in_range(shares(nodes, false)[3], 2300, 2700);
}

TEST_MAIN("replicas choice")
