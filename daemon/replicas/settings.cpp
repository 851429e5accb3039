// Validates the settings.
#include "daemon/replicas/settings.hpp"

#include <libpq-fe.h>

#include <memory>
#include <set>

#include "cache/position.hpp"

namespace larder::replicas {

namespace {

constexpr std::size_t max_replicas = 32;
constexpr const char* legal_name = "must be 1 to 63 letters, digits, '_' or '-'";

// What is wrong with a DSN; empty if nothing. The message doesn't contain the DSN, which may hold a password.
std::string dsn_fault(const std::string& dsn) {
    if (dsn.empty())
        return "is missing; legal is a libpq connection string, e.g. \"host=10.0.0.2 dbname=site "
               "user=larder\"";
    char* message = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
        PQconninfoParse(dsn.c_str(), &message), PQconninfoFree);
    std::unique_ptr<char, decltype(&PQfreemem)> owned(message, PQfreemem);
    if (!options) {
        std::string text = message == nullptr ? "out of memory" : message;
        while (!text.empty() && text.back() == '\n') text.pop_back();
        return "is not a libpq connection string: " + text;
    }
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; option++) {
        std::string keyword = option->keyword;
        if (option->val == nullptr || (keyword != "host" && keyword != "hostaddr" && keyword != "port"))
            continue;
        if (std::string(option->val).find(',') == std::string::npos) continue;
        return "lists several servers (" + keyword + "=" + option->val + "); one alias is one server";
    }
    return "";
}

class Checker {
public:
    std::vector<Problem> check(const std::vector<DatabaseSettings>& databases) {
        for (index_ = 0; index_ < databases.size(); index_++) check(databases[index_]);
        return std::move(problems_);
    }

private:
    void check(const DatabaseSettings& database) {
        name("name", database.name, names_);
        node("primary", database.primary);
        if (database.replicas.empty()) {
            add("replica",
                "has no replica; legal are 1 to 32 (without any, leave the whole [[database]] out)");
        }
        if (database.replicas.size() > max_replicas) {
            add("replica",
                "has " + std::to_string(database.replicas.size()) + " replicas; legal are 1 to 32");
        }
        for (std::size_t i = 0; i < database.replicas.size(); i++) {
            node("replica[" + std::to_string(i) + "]", database.replicas[i]);
        }
        range("max_lag", database.max_lag_ms, 10, 3600000, " ms");
        range("hard_max_lag", database.hard_max_lag_ms, database.max_lag_ms, 86400000, " ms");
        range("probe_interval", database.probe_interval_ms, 20, 10000, " ms");
        range("probe_timeout", database.probe_timeout_ms, 10, 10000, " ms");
        range("primary_jobs", database.primary_jobs, 0, 1000);
        if (!(database.primary_rate >= 0.01 && database.primary_rate <= 1000)) {
            add("primary_rate",
                "is " + std::to_string(database.primary_rate) + "; legal is 0.01 to 1000 (jobs a second)");
        }
        range("primary_burst", database.primary_burst, 1, 1000);
        range("primary_live", database.primary_live, 0, 10000);
    }

    void node(const std::string& key, const NodeSettings& node) {
        name(key + ".alias", node.alias, aliases_);
        if (std::string fault = dsn_fault(node.dsn); !fault.empty()) add(key + ".dsn", fault);
        range(key + ".weight", node.weight, 1, 1000);
    }

    void name(const std::string& key, const std::string& value, std::set<std::string>& taken) {
        if (!is_name(value)) {
            add(key, "is \"" + value + "\"; it " + legal_name);
        } else if (!taken.insert(value).second) {
            add(key, "is \"" + value + "\", which another one has already; it must be unique");
        }
    }

    void range(const std::string& key, std::int64_t value, std::int64_t low, std::int64_t high,
               const char* unit = "") {
        if (value >= low && value <= high) return;
        add(key, "is " + std::to_string(value) + unit + "; legal is " + std::to_string(low) + " to " +
                     std::to_string(high) + unit);
    }

    void add(std::string key, std::string text) {
        problems_.push_back({index_, std::move(key), std::move(text)});
    }

    std::size_t index_ = 0;
    std::vector<Problem> problems_;
    std::set<std::string> names_;
    std::set<std::string> aliases_;
};

}  // namespace

std::vector<Problem> validate(const std::vector<DatabaseSettings>& databases) {
    return Checker().check(databases);
}

}  // namespace larder::replicas
