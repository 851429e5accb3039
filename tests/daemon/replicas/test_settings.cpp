// Legal and illegal settings of databases.
#include "daemon/replicas/settings.hpp"

#include <functional>

#include "tests/cmocka.hpp"

using namespace larder::replicas;

static DatabaseSettings good() {
    DatabaseSettings s;
    s.primary = {"default", "host=10.0.0.1 dbname=site user=larder", 1};
    s.replicas = {{"replica1", "postgresql://larder@10.0.0.2/site", 1},
                  {"replica2", "host=/run/postgresql dbname=site", 1000}};
    return s;
}

TEST(good_settings_have_no_problems) {
    assert_int_equal(validate({}).size(), 0);
    assert_int_equal(validate({good()}).size(), 0);
}

TEST(each_problem_names_its_place_what_was_seen_and_what_is_legal) {
    struct {
        std::function<void(DatabaseSettings&)> spoil;
        const char* key;
        const char* text;
    } rows[] = {
        {[](auto& s) { s.name = ""; }, "name", "is \"\"; it must be 1 to 63 letters, digits, '_' or '-'"},
        {[](auto& s) { s.primary.alias = "a;b"; }, "primary.alias",
         "is \"a;b\"; it must be 1 to 63 letters, digits, '_' or '-'"},
        {[](auto& s) { s.replicas[1].alias = "replica1"; }, "replica[1].alias",
         "is \"replica1\", which another one has already; it must be unique"},
        {[](auto& s) { s.replicas[0].dsn = ""; }, "replica[0].dsn",
         "is missing; legal is a libpq connection string, e.g. \"host=10.0.0.2 dbname=site user=larder\""},
        {[](auto& s) { s.primary.dsn = "hots=10.0.0.1"; }, "primary.dsn",
         "is not a libpq connection string: invalid connection option \"hots\""},
        {[](auto& s) { s.primary.dsn = "host=a,b dbname=x"; }, "primary.dsn",
         "lists several servers (host=a,b); one alias is one server"},
        {[](auto& s) { s.primary.dsn = "postgresql://a:1,b:2/x"; }, "primary.dsn",
         "lists several servers (host=a,b); one alias is one server"},
        {[](auto& s) { s.replicas[0].weight = 0; }, "replica[0].weight", "is 0; legal is 1 to 1000"},
        {[](auto& s) { s.replicas[0].weight = 1001; }, "replica[0].weight", "is 1001; legal is 1 to 1000"},
        {[](auto& s) { s.replicas.clear(); }, "replica",
         "has no replica; legal are 1 to 32 (without any, leave the whole [[database]] out)"},
        {[](auto& s) { s.max_lag_ms = 9; }, "max_lag", "is 9 ms; legal is 10 to 3600000 ms"},
        {[](auto& s) { s.max_lag_ms = -1; }, "max_lag", "is -1 ms; legal is 10 to 3600000 ms"},
        {[](auto& s) { s.hard_max_lag_ms = 999; }, "hard_max_lag", "is 999 ms; legal is 1000 to 86400000 ms"},
        {[](auto& s) { s.probe_interval_ms = 19; }, "probe_interval", "is 19 ms; legal is 20 to 10000 ms"},
        {[](auto& s) { s.probe_timeout_ms = 10001; }, "probe_timeout",
         "is 10001 ms; legal is 10 to 10000 ms"},
        {[](auto& s) { s.primary_jobs = 1001; }, "primary_jobs", "is 1001; legal is 0 to 1000"},
        {[](auto& s) { s.primary_rate = 0; }, "primary_rate",
         "is 0.000000; legal is 0.01 to 1000 (jobs a second)"},
        {[](auto& s) { s.primary_rate = __builtin_nan(""); }, "primary_rate",
         "is nan; legal is 0.01 to 1000 (jobs a second)"},
        {[](auto& s) { s.primary_burst = 0; }, "primary_burst", "is 0; legal is 1 to 1000"},
        {[](auto& s) { s.primary_live = 10001; }, "primary_live", "is 10001; legal is 0 to 10000"},
    };
    for (const auto& row : rows) {
        DatabaseSettings settings = good();
        row.spoil(settings);
        auto problems = validate({settings});
        assert_int_equal(problems.size(), 1);
        assert_int_equal(problems[0].database, 0);
        assert_text_equal(problems[0].key, row.key);
        assert_text_equal(problems[0].text, row.text);
    }
}

TEST(aliases_are_unique_over_all_databases) {
    DatabaseSettings second = good();
    auto problems = validate({good(), second});
    assert_int_equal(problems.size(), 4);
    assert_int_equal(problems[0].database, 1);
    assert_text_equal(problems[0].key, "name");
    assert_text_equal(problems[3].key, "replica[1].alias");
}

TEST(too_many_replicas_are_counted) {
    DatabaseSettings settings = good();
    for (int i = 3; i <= 33; i++) settings.replicas.push_back({"replica" + std::to_string(i), "host=x", 1});
    assert_text_equal(validate({settings}).at(0).text, "has 33 replicas; legal are 1 to 32");
}

TEST_MAIN("replicas settings")
