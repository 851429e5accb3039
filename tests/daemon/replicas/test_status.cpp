// The status as JSON.
#include "daemon/replicas/status.hpp"

#include <nlohmann/json.hpp>

#include "tests/cmocka.hpp"

using namespace larder::replicas;
using nlohmann::json;

static NodeStatus node(const char* database, const char* alias) {
    NodeStatus n;
    n.database = database;
    n.alias = alias;
    return n;
}

TEST(nodes_come_by_database_in_order) {
    json status = json::parse(to_json({node("x", "a"), node("x", "b"), node("y", "c")}, {"one", "two"}));
    assert_int_equal(status["databases"].size(), 2);
    assert_text_equal(status["databases"][0]["nodes"][1]["alias"].get<std::string>(), "b");
    assert_text_equal(status["databases"][1]["name"].get<std::string>(), "y");
    assert_int_equal(status["alarms"].size(), 2);
    assert_text_equal(to_json({}, {}), R"({"databases":[],"alarms":[]})");
}

TEST(what_is_not_known_is_null) {
    NodeStatus n = node("x", "a");
    json unknown = json::parse(to_json({n}, {}))["databases"][0]["nodes"][0];
    assert_true(unknown["lag_ms"].is_null());
    assert_true(unknown["position"].is_null());
    n.role = Role::replica;
    n.lag = {0, Bound::exact};
    n.timeline = 2;
    n.position = 0xABC;
    json known = json::parse(to_json({n}, {}))["databases"][0]["nodes"][0];
    assert_int_equal(known["lag_ms"].get<int>(), 0);
    assert_text_equal(known["lag_bound"].get<std::string>(), "exact");
    assert_text_equal(known["position"].get<std::string>(), "2/ABC");
    assert_text_equal(known["role"].get<std::string>(), "replica");
}

TEST(a_server_may_say_what_is_no_utf8) {
    NodeStatus n = node("x", "a");
    n.last_error = "FATAL: \xe9\xff \"quoted\"\n";
    json status = json::parse(to_json({n}, {}));
    assert_true(status["databases"][0]["nodes"][0]["last_error"].get<std::string>().find("\"quoted\"") !=
                std::string::npos);
}

TEST_MAIN("replicas status")
