// The state machine of one database, fed with probe results.
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
        note(up[i] ? cluster.observed(i, nodes[i], now, now + 1) : cluster.failed(i, "refused", now));
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
    Cluster::Fenced fence_of(std::string_view position) {
        Cluster::Fenced fenced = cluster.fence_of({&position, 1}, now);
        note(fenced.changes);
        now++;  // so that the next probe is sent after this moment
        return fenced;
    }
    std::string choose(std::string_view position, Class urgency = Class::background) {
        return choose(urgency, fence_of(position).fence);
    }
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
    // A replica that comes back meanwhile enters the rotation: it has everything that is known of the primary.
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
    assert_text_equal(b.choose("default/7000/2/384"), "c");
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
    // A replica that receives no WAL reports the timeline of its last checkpoint.
    b.nodes[1].timeline = 1;
    b.nodes[1].streaming = false;
    b.round();
    assert_int_equal(b.status(1).timeline, 2);
    // After a restart (another instance) the lower timeline is believed.
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
    assert_text_equal(b.choose(Class::background, unclear, 1), "a");
    b.cluster.begin(0, Class::background);
    b.cluster.begin(0, Class::background);
    assert_text_equal(b.choose(Class::background, unclear, 1), "hold");
    assert_text_equal(b.choose(Class::live, unclear), "a");
}

TEST(a_position_is_a_fence) {
    Bench b;
    b.round(2);
    b.write();
    b.replay(2);
    b.round();
    assert_text_equal(b.choose("default/7000/1/44C"), "c");  // 1100
    assert_text_equal(b.choose("default/1/44C"), "c");       // without a system identifier
    assert_text_equal(b.choose("b/7000/1/44C"), "c");        // with the name of a server
    assert_text_equal(b.log.substr(b.log.find("can't be") == std::string::npos ? b.log.size() : 0), "");
}

// A purge may come with any of these. None of them may delay later work for longer than a probe takes.
TEST(a_position_that_cannot_be_stands_for_all_that_the_primary_has) {
    struct {
        const char* position;
        const char* why;
        bool ours;
    } rows[] = {
        {"default/9/100", "no server is on that timeline, the primary is on 2", true},
        {"default/7000/9/100", "no server is on that timeline, the primary is on 2", true},
        {"b/4294967295/0", "no server is on that timeline, the primary is on 2", true},
        {"default/8000/2/64", "it is of another cluster, ours is 7000", true},
        {"default/2/FFFFFFFFFFFFFFFF", "the log ends at 2/44C", true},
        {"default/7000/2/44D", "the log ends at 2/44C", true},
        {"elsewhere/7000/2/64", "no database or server has that name", false},
        {"default/0/7000/2/64", "it is not NAME/SYSTEM/TIMELINE/LSN", false},
        {"nonsense", "it is not NAME/SYSTEM/TIMELINE/LSN", false},
    };
    for (const auto& row : rows) {
        print_message("%s\n", row.position);
        Bench b;
        for (Observation& node : b.nodes) node.timeline = 2;
        b.round(2);
        b.write();
        b.round();
        assert_text_equal(b.choose(row.position), "hold");  // it may be newer than the last probe
        assert_text_equal(b.choose(row.position, Class::live), "a");
        b.round();
        Cluster::Fenced fenced = b.fence_of(row.position);
        assert_true(fenced.fence.kind == FenceKind::position);
        assert_int_equal(fenced.fence.timeline, 2);
        assert_int_equal(fenced.fence.lsn, 1100);
        assert_true(b.log.find("! position " + std::string(row.position) + " can't be: " + row.why) != std::string::npos);
        assert_int_equal(b.cluster.refused_positions(), 1);
        assert_int_equal(fenced.replaced.size(), row.ours ? 1 : 0);
        if (row.ours) {
            std::string_view name(row.position);
            assert_text_equal(fenced.replaced[0].by, std::string(name.substr(0, name.find('/'))) + "/7000/2/44C");
        }
        // Later writes don't change what it was replaced by, and it is logged once.
        b.replay(2);
        b.write();
        b.round();
        assert_text_equal(b.choose(row.position), "c");
        b.round(3);
        assert_text_equal(b.choose(row.position), "c");
        assert_int_equal(b.cluster.refused_positions(), 1);
    }
}

TEST(a_position_newer_than_the_last_probe_is_none_of_those) {
    Bench b;
    b.round(2);
    assert_text_equal(b.choose("default/7000/1/44C"), "hold");
    b.write();
    b.round();
    assert_text_equal(b.choose("default/7000/1/44C"), "hold");
    b.replay(1);
    b.round();
    assert_text_equal(b.choose("default/7000/1/44C"), "b");
    assert_int_equal(b.cluster.refused_positions(), 0);
}

TEST(an_insert_position_behind_a_page_header_is_the_end_of_the_page_before) {
    Bench b;
    for (Observation& node : b.nodes) node.position = 8192;
    b.round(4);
    for (int i = 0; i < 2; i++) {
        assert_true(b.choose("default/7000/1/2018") != "hold");  // 8192 and the header's 24 bytes
        b.round();
    }
    assert_int_equal(b.cluster.refused_positions(), 0);
}

TEST(a_position_of_a_promotion_that_was_not_seen_yet_is_waited_for) {
    Bench b;
    b.round(2);
    assert_text_equal(b.choose("default/7000/2/3E8"), "hold");
    b.now += 5;
    b.probe(0);  // the old primary doesn't know of the promotion
    assert_text_equal(b.choose("default/7000/2/3E8"), "hold");
    assert_int_equal(b.cluster.refused_positions(), 0);
    b.up[0] = false;
    b.nodes[1].in_recovery = false;
    b.nodes[1].timeline = b.nodes[2].timeline = 2;
    b.round(3);
    assert_text_equal(b.choose("default/7000/2/3E8"), "c");
    assert_int_equal(b.cluster.refused_positions(), 0);
}

TEST(positions_of_the_old_timeline_stand_for_what_the_new_primary_began_with) {
    Bench b;
    b.round(2);
    b.up[0] = false;
    b.nodes[1].in_recovery = false;
    b.nodes[1].timeline = b.nodes[2].timeline = 2;
    b.round(3);
    assert_text_equal(b.choose("default/7000/1/FFFF"), "hold");  // a write that was lost with the old primary
    b.round();
    Cluster::Fenced fenced = b.fence_of("default/7000/1/FFFF");
    assert_text_equal(b.choose("default/7000/1/FFFF"), "c");
    assert_text_equal(fenced.replaced[0].by, "default/7000/2/3E8");
    assert_int_equal(b.cluster.refused_positions(), 0);  // positions on a former timeline don't count
    assert_true(b.log.find("  position default/7000/1/FFFF: the primary is on timeline 2 by now; it stands for 2/3E8") !=
                std::string::npos);
}

TEST(a_cluster_built_anew_knows_none_of_the_old_positions) {
    Bench b;
    for (Observation& node : b.nodes) node.timeline = 3;
    b.round(2);
    for (Observation& node : b.nodes) {  // upgraded: another system identifier, timeline 1, a log that goes on
        node.system = 9000;
        node.timeline = 1;
        node.instance += 1000;
    }
    b.round(6);
    for (const char* position : {"default/7000/3/100", "default/3/100", "default/7000/1/100"}) {
        print_message("%s\n", position);
        assert_text_equal(b.choose(position), "hold");
        b.round();
        assert_true(b.choose(position) != "hold");
    }
}

TEST(without_a_primary_only_a_position_that_a_server_has_is_safe) {
    Bench b;
    b.round(2);
    b.up[0] = false;
    b.round(3);
    assert_true(b.choose("default/7000/1/3E8", Class::live) != "hold");
    for (const char* position : {"default/7000/1/3E9", "default/7000/2/1", "elsewhere/1/1", "default/8000/1/1"}) {
        b.round();
        assert_text_equal(b.choose(position, Class::live), "hold");
    }
    assert_int_equal(b.cluster.refused_positions(), 0);
}

TEST(any_number_of_impossible_positions_is_bounded) {
    Bench b;
    b.round(2);
    for (int i = 0; i < 5000; i++) b.fence_of("default/9/" + std::to_string(i));
    assert_text_equal(b.choose("default/9/" + std::string(1000, '1')), "hold");
    b.round();
    assert_true(b.choose("default/9/4999") != "hold");
    assert_true(b.choose("default/9/" + std::string(1000, '1')) != "hold");
    assert_int_equal(b.cluster.refused_positions(), 2);
}

TEST(of_several_positions_all_must_have_been_seen) {
    Bench b;
    b.round(2);
    b.write();
    b.replay(2);
    b.round();
    std::string_view positions[] = {"default/7000/1/44C", "", "default/7000/1/3E8"};
    assert_text_equal(b.choose(Class::background, b.cluster.fence_of(positions, b.now).fence), "c");
}

TEST(it_knows_its_names) {
    Bench b;
    assert_true(b.cluster.knows("default") && b.cluster.knows("a") && b.cluster.knows("c"));
    assert_false(b.cluster.knows("") || b.cluster.knows("d") || b.cluster.knows("A"));
}

TEST_MAIN("replicas cluster")
