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
    {"LOADING ", Refusal::connection},     // the data set is being loaded; ends by itself
    {"BUSY ", Refusal::connection},        // a script runs too long; all commands are refused
    {"MASTERDOWN ", Refusal::connection},  // a replica without its primary, which may not serve old data
    {"READONLY ", Refusal::connection},    // a replica: after a failover, a new connection reaches the primary
    {"CLUSTERDOWN ", Refusal::connection},
    {"NOAUTH ", Refusal::connection},  // no login, or the server has forgotten it
    {"WRONGPASS ", Refusal::connection},
    {"DENIED ", Refusal::connection},  // protected mode
    {"ERR max number of clients", Refusal::connection},
    {"MISCONF ", Refusal::writes},     // a snapshot failed
    {"OOM ", Refusal::writes},         // maxmemory is reached, and nothing may be evicted
    {"NOREPLICAS ", Refusal::writes},  // fewer replicas than min-replicas-to-write
    {"NOSCRIPT ", Refusal::script},    // it was restarted or flushed, or another replica was promoted
};

// Before version 7, Redis reports the failed command of a script at the end of an error of its own: "ERR Error
// running script (call to f_DIGEST): @user_script:10: @user_script: 10: -READONLY You can't write …".
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
    bool has_no_right = starts_with(error, "NOPERM ") && error.find("'evalsha'") != std::string_view::npos;
    return has_no_right ? Refusal::script : Refusal::command;
}

// SERVER_ERROR is about one item (out of memory, too large) or, from a proxy, about one server behind it. After the
// other two, client and server may disagree about where a command begins: memcached answers "ERROR" to a value that
// it took for a command. It also turns away clients that way ("ERROR Too many open connections").
Refusal memcached_refusal(std::string_view error) {
    return starts_with(error, "SERVER_ERROR") ? Refusal::command : Refusal::connection;
}

}  // namespace larder
