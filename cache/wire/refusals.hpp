// What an error line of Redis or memcached says about the server: whether only this command failed, or the connection is of no
// use until the server has recovered. nginx and larderd both judge by this table; docs/operations.md tells operators.
#pragma once

#include <cstdint>
#include <string_view>

namespace larder {

enum class Refusal : std::uint8_t {
    command,     // this command failed; others may succeed
    writes,      // the server takes no writes at present, but still answers reads
    connection,  // nothing on this connection will succeed: connect anew, after a pause
};

// `error` is the line without the leading "-".
Refusal redis_refusal(std::string_view error);

// `error` is the whole line, from "ERROR", "CLIENT_ERROR" or "SERVER_ERROR" on.
Refusal memcached_refusal(std::string_view error);

}  // namespace larder
