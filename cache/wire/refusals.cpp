#include "cache/wire/refusals.hpp"

namespace larder {

namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

struct Row {
    std::string_view start;
    Refusal refusal;
};

constexpr Row redis_rows[] = {
    {"LOADING ", Refusal::connection},     // the data set is being read; ends by itself
    {"BUSY ", Refusal::connection},        // a script has run for too long; every command is refused
    {"MASTERDOWN ", Refusal::connection},  // a replica that lost its primary and may not serve old data
    {"READONLY ", Refusal::connection},    // a replica: after a failover the address leads to the primary
    {"CLUSTERDOWN ", Refusal::connection},
    {"NOAUTH ", Refusal::connection},  // no login, or the server has forgotten it
    {"WRONGPASS ", Refusal::connection},
    {"DENIED ", Refusal::connection},  // protected mode
    {"ERR max number of clients", Refusal::connection},
    {"MISCONF ", Refusal::writes},     // a snapshot failed
    {"OOM ", Refusal::writes},         // maxmemory, and nothing may be evicted
    {"NOREPLICAS ", Refusal::writes},  // fewer replicas than min-replicas-to-write
};

// Redis before 7 reports a script's failed command at the end of a line of its own: "ERR Error running script (call to
// f_DIGEST): @user_script:10: @user_script: 10: -READONLY You can't write …".
std::string_view innermost(std::string_view error) {
    if (!starts_with(error, "ERR Error running script")) return error;
    std::size_t at = error.rfind(": -");
    return at == std::string_view::npos ? error : error.substr(at + 3);
}

}  // namespace

Refusal redis_refusal(std::string_view error) {
    error = innermost(error);
    for (const Row& row : redis_rows) {
        if (starts_with(error, row.start)) return row.refusal;
    }
    return Refusal::command;
}

// SERVER_ERROR is about one item (no memory for it, too large) or, from a proxy, about one server behind it. After the other
// two, reader and server may no longer agree where a command begins: "ERROR" is how memcached answers a value that it took
// for a command, and how it turns away clients ("ERROR Too many open connections").
Refusal memcached_refusal(std::string_view error) {
    return starts_with(error, "SERVER_ERROR") ? Refusal::command : Refusal::connection;
}

}  // namespace larder
