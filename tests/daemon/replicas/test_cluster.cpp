// The state machine of one database, fed with what probes would say.
#include "daemon/replicas/decide/cluster.hpp"

#include "tests/cmocka.hpp"

using namespace larder::replicas;

namespace {

constexpr Fence none{};

// A cluster of primary a and replicas b, c, with a clock; each round probes all three, 250 ms apart.
struct Bench {
    static DatabaseSettings settings() {
        DatabaseSettings s;
        s.primary = {"a", "host=a", 1};
        s.replicas = {{"b", "host=b", 1}, {"c", "host=c", 1}};
        s.primary_rate = 1000;
        s.primary_burst = 1000;
        return s;
    }

    Cluster cluster{settings()};
    std::int64_t now = 10000;
    Observation nodes[3];
    bool up[3] = {true, true, true};
    std::string log;

    Bench() {
        for (int i = 0; i < 3; i++) {
            nodes[i] = {.in_recovery = i != 0,
                        .timeline = 1,
                        .position = 1000,
                        .streaming = i != 0,
                        .system = 7000,
                        .instance = 100 + i,
                        .active = 0,
                        .max_connections = 100,
                        .latency_ms = 1};
        }
    }

    void note(const std::vector<Change>& changes) {
        for (const Change& change : changes)
            log.append(change.alarming ? "! " : "  ").append(change.text).append("\n");
    }
    void probe(std::size_t i) {
        note(up[i] ? cluster.observed(i, nodes[i], now, now + 1) : cluster.failed(i, "refused"));
    }
    void round(int times = 1) {
        for (; times > 0; times--) {
            for (std::size_t i = 0; i < 3; i++) {
                probe(i);
                now += 5;
            }
            now += 235;
        }
    }
    void write(Lsn bytes = 100) { nodes[0].position += bytes; }
    void replay(int i) { nodes[i].position = nodes[0].position; }

    NodeStatus status(std::size_t i) const { return cluster.status()[i]; }
    bool in(std::size_t i) const { return status(i).in_rotation; }
    std::string choose(Class urgency = Class::background, Fence fence = none, double patience = 0) {
        Decision d = cluster.choose(urgency, fence, patience, now, [] { return 0.5; });
        return d.node ? cluster.status()[*d.node].alias : "hold";
    }
};

}  // namespace

TEST(it_holds_until_all_have_been_probed_once) {
    Bench b;
    b.cluster.starting(b.now);
    assert_text_equal(b.choose(), "hold");
    b.probe(1);
    b.probe(2);
    assert_text_equal(b.choose(Class::live), "hold");
    b.probe(0);
    b.round();
    assert_true(b.choose() != "hold");
}

TEST(a_server_whose_first_probe_never_ends_holds_nobody_up_for_long) {
    Bench b;
    b.cluster.starting(b.now);
    b.probe(1);
    assert_text_equal(b.choose(), "hold");
    b.now += 2 * 200;
    assert_text_equal(b.choose(), "b");
}

TEST(replicas_of_an_idle_primary_stay) {
    Bench b;
    b.round(100);
    assert_true(b.in(0) && b.in(1) && b.in(2));
    assert_int_equal(b.status(1).lag.ms, 0);
    assert_text_equal(b.status(1).reason, "");
}

TEST(a_busy_primary_makes_no_replica_late_that_keeps_up) {
    Bench b;
    for (int i = 0; i < 100; i++) {
        b.write();
        b.replay(1);
        b.replay(2);
        b.round();
        assert_int_equal(b.status(2).lag.ms, 0);
    }
    assert_true(b.in(1) && b.in(2));
}

TEST(a_late_replica_leaves_after_two_looks_and_returns_after_five) {
    Bench b;
    b.round(2);
    int late = 0;
    for (int i = 0; b.in(1) && i < 20; i++) {
        b.write();
        b.replay(2);
        b.round();
        if (b.status(1).lag.ms > 1000) late++;
    }
    assert_int_equal(late, 2);
    assert_true(b.status(1).reason.find("ms late, above max_lag = 1000ms") != std::string::npos);
    assert_true(b.in(2));
    b.replay(1);
    b.round(4);
    assert_false(b.in(1));
    assert_text_equal(b.status(1).reason, "recovering: 1 more good probes");
    b.round();
    assert_true(b.in(1));
    assert_true(b.log.find("! b leaves the rotation: ") != std::string::npos);
    assert_true(b.log.find("  b enters the rotation\n") != std::string::npos);
}

TEST(a_replica_that_is_cut_off_leaves_though_nothing_is_written) {
    Bench b;
    b.round(2);
    b.nodes[1].streaming = false;
    b.round();
    assert_true(b.in(1));
    b.round();
    assert_false(b.in(1));
    assert_text_equal(b.status(1).reason, "receives no WAL");
}

TEST(when_the_primary_dies_nobody_is_blamed_for_being_cut_off) {
    Bench b;
    b.round(2);
    b.up[0] = false;
    b.nodes[1].streaming = b.nodes[2].streaming = false;
    b.round(20);
    assert_true(b.in(1) && b.in(2));
    assert_text_equal(to_string(b.status(1).lag.bound), "at_most");
    assert_true(b.status(1).lag.ms > 4000);
    assert_true(b.choose() != "hold");
    assert_true(b.choose(Class::live, {FenceKind::position, 1, 1000}) != "hold");
    assert_text_equal(b.choose(Class::live, {FenceKind::position, 1, 1001}), "hold");
    // One that died meanwhile and returns may come in: it has all that is known.
    b.up[1] = false;
    b.round(3);
    assert_false(b.in(1));
    b.up[1] = true;
    b.round(5);
    assert_true(b.in(1));
}

TEST(three_failures_take_a_server_out) {
    Bench b;
    b.round(2);
    b.up[1] = false;
    b.round(2);
    assert_true(b.in(1));
    assert_false(b.status(1).answering);
    b.round();
    assert_false(b.in(1));
    assert_text_equal(b.status(1).reason, "no answer: refused");
    assert_text_equal(to_string(b.status(1).role), "unknown");
    b.up[1] = true;
    b.round(4);
    assert_false(b.in(1));
    b.round();
    assert_true(b.in(1));
    assert_text_equal(b.status(1).last_error, "");
}

TEST(after_a_promotion_the_ring_begins_anew) {
    Bench b;
    b.round(2);
    b.up[0] = false;
    b.round(3);
    b.nodes[1] = {.in_recovery = false,
                  .timeline = 2,
                  .position = 900,
                  .system = 7000,
                  .instance = 101,
                  .max_connections = 100};
    b.round(2);
    assert_text_equal(to_string(b.status(1).role), "primary");
    assert_text_equal(b.status(2).reason, "on another timeline than the primary");
    b.nodes[2].timeline = 2;
    b.nodes[2].position = 900;
    b.nodes[2].streaming = true;
    b.round(6);
    assert_true(b.in(2));
    assert_int_equal(b.status(2).lag.ms, 0);
    assert_text_equal(b.choose(Class::background, {FenceKind::position, 1, 800}), "b");  // the primary now
    assert_text_equal(b.choose(Class::background, {FenceKind::position, 2, 900}), "c");
    b.up[0] = true;
    b.round();
    assert_int_equal(b.cluster.alarms().size(), 1);
    assert_text_equal(to_string(b.status(0).role), "quarantined");
    assert_true(b.log.find("! a takes writes on timeline 1 while b does on timeline 2: split brain") !=
                std::string::npos);
    b.nodes[0] = {.in_recovery = true,
                  .timeline = 2,
                  .position = 900,
                  .streaming = true,
                  .system = 7000,
                  .instance = 200,
                  .max_connections = 100};
    b.round(5);
    assert_int_equal(b.cluster.alarms().size(), 0);
    assert_true(b.in(0));
}

TEST(a_server_does_not_go_back_to_a_timeline_it_has_left) {
    Bench b;
    b.nodes[0].timeline = b.nodes[1].timeline = b.nodes[2].timeline = 2;
    b.round(2);
    // Cut off, the replica can only name its last checkpoint's timeline.
    b.nodes[1].timeline = 1;
    b.nodes[1].streaming = false;
    b.round();
    assert_int_equal(b.status(1).timeline, 2);
    // Restarted (another instance), it may.
    b.nodes[1].instance = 999;
    b.round();
    assert_int_equal(b.status(1).timeline, 1);
}

TEST(what_is_in_flight_counts) {
    Bench b;
    b.round(2);
    for (int i = 0; i < 10; i++) {
        std::string alias = b.choose();
        b.cluster.begin(alias == "b" ? 1 : 2, Class::background);
    }
    assert_int_equal(b.status(1).in_flight, 5);
    assert_int_equal(b.status(2).in_flight, 5);
    for (int i = 0; i < 5; i++) {
        b.cluster.end(1, Class::background);
        b.cluster.end(2, Class::background);
    }
    assert_int_equal(b.status(1).in_flight, 0);
    assert_int_equal(b.status(1).chosen, 5);
}

TEST(the_primarys_two_caps_are_apart) {
    Bench b;
    b.round(2);
    Fence unclear{FenceKind::unclear, 0, 0};
    b.cluster.begin(0, Class::live);
    b.cluster.begin(0, Class::live);
    assert_text_equal(b.choose(Class::background, unclear), "a");
    b.cluster.begin(0, Class::background);
    b.cluster.begin(0, Class::background);
    assert_text_equal(b.choose(Class::background, unclear), "hold");
    assert_text_equal(b.choose(Class::live, unclear), "a");
}

TEST(it_knows_its_names) {
    Bench b;
    assert_true(b.cluster.knows("default") && b.cluster.knows("a") && b.cluster.knows("c"));
    assert_false(b.cluster.knows("") || b.cluster.knows("d") || b.cluster.knows("A"));
}

TEST_MAIN("replicas cluster")
