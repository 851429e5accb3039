// A program around the replica chooser, for system tests. The settings are JSON on the command line. Each line of standard
// input is a request in JSON, which is answered by one line of JSON on standard output. Ends at the end of its input.
//
//   larder_replica_watch '[{"primary":{"alias":"a","dsn":"..."},"replicas":[...],"max_lag_ms":500}]'
//   {"do":"status"}
//   {"do":"choose","class":"live","position":"default/7412345678901234567/1/16B3748","patience":0.9,"database":0}
//   {"do":"refused"}    the number of impossible positions so far
//   {"do":"release"}    releases the tokens of all choices so far
//   {"do":"health","path":"/replica","query":"lag=2s"}    {"do":"agent","node":"r1"}
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "daemon/replicas/chooser.hpp"
#include "daemon/replicas/health_answer.hpp"

namespace {

using namespace larder::replicas;
using nlohmann::json;

NodeSettings read_node(const json& given) {
    return {given.at("alias"), given.at("dsn"), given.value("weight", 1u)};
}

DatabaseSettings read_database(const json& given) {
    DatabaseSettings s;
    s.name = given.value("name", s.name);
    s.primary = read_node(given.at("primary"));
    for (const json& replica : given.at("replicas")) s.replicas.push_back(read_node(replica));
    s.max_lag_ms = given.value("max_lag_ms", s.max_lag_ms);
    s.hard_max_lag_ms = given.value("hard_max_lag_ms", s.hard_max_lag_ms);
    s.probe_interval_ms = given.value("probe_interval_ms", s.probe_interval_ms);
    s.probe_timeout_ms = given.value("probe_timeout_ms", s.probe_timeout_ms);
    s.primary_jobs = given.value("primary_jobs", s.primary_jobs);
    s.primary_rate = given.value("primary_rate", s.primary_rate);
    s.primary_burst = given.value("primary_burst", s.primary_burst);
    s.primary_live = given.value("primary_live", s.primary_live);
    return s;
}

json answer(Chooser& chooser, std::vector<Choice>& kept, const json& request) {
    std::string verb = request.at("do");
    if (verb == "status") return json::parse(to_json(chooser.status(), chooser.alarms()));
    if (verb == "choose") {
        std::vector<std::string> positions{request.value("position", "")};
        Choice choice = chooser.choose({
            .urgency = request.value("class", "background") == "live" ? Class::live : Class::background,
            .positions = positions,
            .patience_used = request.value("patience", 0.0),
            .database = request.value("database", std::size_t{0}),
        });
        json said = {{"alias", choice.alias},
                     {"primary", choice.primary},
                     {"hold", choice.hold},
                     {"retry_after_ms", choice.retry_after.count()},
                     {"reason", choice.reason}};
        kept.push_back(std::move(choice));
        return said;
    }
    if (verb == "release") {
        kept.clear();
        return json::object();
    }
    if (verb == "health") {
        HealthAnswer said =
            health(chooser.status(), std::string(request.at("path")), request.value("query", ""));
        return {{"status", said.status}, {"body", said.body}};
    }
    if (verb == "refused") return json(chooser.refused_positions());
    if (verb == "agent") return {{"text", agent_check(chooser.status(), std::string(request.at("node")))}};
    throw std::invalid_argument("unknown request " + verb);
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2) throw std::invalid_argument("usage: larder_replica_watch SETTINGS");
    spdlog::set_default_logger(spdlog::stderr_logger_mt("watch"));
    std::vector<DatabaseSettings> databases;
    for (const json& database : json::parse(argv[1])) databases.push_back(read_database(database));
    auto problems = validate(databases);
    for (const Problem& problem : problems) std::cerr << problem.key << " " << problem.text << "\n";
    if (!problems.empty()) return 2;
    std::vector<Choice> kept;
    Chooser chooser(std::move(databases));
    chooser.start();
    for (std::string line; std::getline(std::cin, line);) {
        std::cout << answer(chooser, kept, json::parse(line)).dump() << std::endl;
    }
} catch (const std::exception& error) {
    std::cerr << "larder_replica_watch: " << error.what() << "\n";
    return 1;
}
