// Health checks for load balancers.
#include "daemon/replicas/health_answer.hpp"

#include <nlohmann/json.hpp>

#include "tests/cmocka.hpp"

using namespace larder::replicas;

static NodeStatus node(const char* alias, Role role, bool in, Lag lag) {
    NodeStatus n;
    n.database = "default";
    n.alias = alias;
    n.role = role;
    n.in_rotation = in;
    n.lag = lag;
    n.streaming = true;
    n.max_connections = 100;
    return n;
}

// p primary; good, slow: in rotation; late: out; gone: silent; rival: quarantined; blind: in, with the
// primary silent.
static std::vector<NodeStatus> fleet() {
    std::vector<NodeStatus> nodes = {
        node("p", Role::primary, true, {0, Bound::exact}),
        node("good", Role::replica, true, {0, Bound::exact}),
        node("slow", Role::replica, true, {900, Bound::exact}),
        node("late", Role::replica, false, {12000, Bound::exact}),
        node("gone", Role::unknown, false, {}),
        node("rival", Role::quarantined, false, {}),
        node("blind", Role::replica, true, {3000, Bound::at_most}),
        node("new", Role::replica, true, {10, Bound::at_least}),
    };
    nodes[1].active = 25;
    nodes.push_back(node("other", Role::primary, true, {0, Bound::exact}));
    nodes.back().database = "second";
    return nodes;
}

TEST(patroni_shaped_questions) {
    struct {
        const char* path;
        const char* query;
        int status;
    } rows[] = {
        {"/primary", "", 200},
        {"/primary", "node=p", 200},
        {"/primary", "node=good", 503},
        {"/primary", "node=rival", 503},
        {"/primary", "database=second", 200},
        {"/primary", "database=second&node=p", 404},
        {"/replica", "", 200},
        {"/replica", "database=second", 503},
        {"/replica", "node=p", 503},
        {"/replica", "node=good", 200},
        {"/replica", "node=late", 503},
        {"/replica", "node=gone", 503},
        {"/replica", "node=rival", 503},
        {"/replica", "node=slow&lag=2s", 200},
        {"/replica", "lag=900&node=slow", 200},
        {"/replica", "node=slow&lag=899ms", 503},
        {"/replica", "node=late&lag=1h", 503},
        {"/replica", "node=blind&lag=3s", 200},
        {"/replica", "node=blind&lag=2s", 503},
        {"/replica", "node=new&lag=1min", 503},  // its lag is only known to be at least 10 ms
        {"/replica", "node=new", 200},
        {"/read-only", "node=p", 200},
        {"/read-only", "node=good&lag=0", 200},
        {"/read-only", "node=late", 503},
        {"/replica", "node=nobody", 404},
        {"/replica", "lag=", 400},
        {"/replica", "lag=-1s", 400},
        {"/replica", "lag=2x", 400},
        {"/replica", "lag=2 s", 400},
        {"/replica", "lag=99999999999999999999", 400},
        {"/replica", "lag=86400001h", 400},
        {"/replica", "lagg=2s", 400},
        {"/replica", "&&node=good&", 200},
        {"/replica", "=", 400},
        {"/agent", "", 400},
        {"/agent", "node=good", 200},
        {"/leader", "", 404},
        {"/", "", 404},
        {"", "", 404},
    };
    for (const auto& row : rows) {
        print_message("%s?%s\n", row.path, row.query);
        HealthAnswer answer = health(fleet(), row.path, row.query);
        assert_int_equal(answer.status, row.status);
        if (std::string_view(row.path) != "/agent" || row.status != 200)
            assert_false(nlohmann::json::parse(answer.body).empty());
    }
}

TEST(the_answer_shows_only_what_was_asked_about) {
    auto body = nlohmann::json::parse(health(fleet(), "/replica", "node=slow").body);
    assert_int_equal(body["databases"].size(), 1);
    assert_int_equal(body["databases"][0]["nodes"].size(), 1);
    assert_int_equal(body["databases"][0]["nodes"][0]["lag_ms"].get<int>(), 900);
}

TEST(a_refusal_says_what_is_legal_and_survives_any_bytes) {
    auto body = nlohmann::json::parse(health(fleet(), "/replica", "lag=2\"\xff").body);
    assert_true(body["error"].get<std::string>().find("legal are e.g. 500ms, 2s, 1min, 1h") !=
                std::string::npos);
}

TEST(haproxy_agent_lines) {
    auto nodes = fleet();
    struct {
        const char* alias;
        const char* line;
    } rows[] = {
        {"p", "up 100% ready\n"},
        {"good", "up 75% ready\n"},
        {"late", "drain\n"},
        {"gone", "down #no answer\n"},
        {"rival", "down #quarantined\n"},
        {"nobody", "fail #no such node\n"},
    };
    for (const auto& row : rows) assert_text_equal(agent_check(nodes, row.alias), row.line);
    nodes[3].streaming = false;
    assert_text_equal(agent_check(nodes, "late"), "down #lag 12000 ms\n");
    nodes[3].lag = {};
    assert_text_equal(agent_check(nodes, "late"), "down #freshness unknown\n");
    nodes[1].active = 1000;
    assert_text_equal(agent_check(nodes, "good"), "up 1% ready\n");
    nodes[1].max_connections = 0;
    assert_text_equal(agent_check(nodes, "good"), "up 100% ready\n");
}

TEST_MAIN("replicas health_answer")
