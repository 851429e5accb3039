// Classifies error replies of Redis and memcached: did only this command fail, or is the connection useless until the
// server has recovered? nginx and larderd both use this table; docs/operations.md describes it for operators.
#pragma once

#include <cstdint>
#include <string_view>

namespace larder {

enum class Refusal : std::uint8_t {
    command,     // only this command failed
    script,      // the server does not know the script by its digest, or lets nobody ask so: send it in full
    writes,      // the server refuses writes at present, but answers reads
    connection,  // all commands will fail: reconnect after a pause
};

// `error`: the line without its leading "-".
Refusal redis_refusal(std::string_view error);

// `error`: the whole line, beginning with "ERROR", "CLIENT_ERROR" or "SERVER_ERROR".
Refusal memcached_refusal(std::string_view error);

}  // namespace larder
