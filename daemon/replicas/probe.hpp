// Probes one server over a connection of its own: one query, with deadlines for connecting and for the answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "daemon/replicas/decide/roles.hpp"

struct pg_conn;

namespace larder::replicas {

// Milliseconds of the monotonic clock.
std::int64_t monotonic_ms();

class Probe {
public:
    struct Answer {
        Observation seen;
        std::int64_t sent_ms = 0;  // monotonic; the server has executed the query between these two times
        std::int64_t received_ms = 0;
    };
    struct Interrupted {};
    using Result =
        std::variant<Answer, std::string, Interrupted>;  // the string is an error message of one line

    // `timeout_ms` applies to connecting, and again to the query. `stop_fd`: not owned; run() ends when it becomes
    // readable. The server must be PostgreSQL 12 or later. The role needs LOGIN only; with pg_monitor it also sees how
    // busy the server is.
    Probe(std::string dsn, std::int64_t timeout_ms, int stop_fd);
    ~Probe();

    // Probes the server; blocks. Connects if there is no connection, or reconnects once if the server has closed it. Also
    // reconnects every few seconds, to find out whether the server accepts logins, as the site's connections will need that.
    Result run();

private:
    enum class Step : std::uint8_t { done, failed, timed_out, interrupted };

    Step connect();
    Step ask(Result& result);
    Step wait(bool for_write, std::int64_t deadline_ms);
    std::string error_text() const;

    std::string dsn_;
    std::int64_t timeout_ms_;
    int stop_fd_;
    struct Finish {
        void operator()(pg_conn* connection) const;
    };
    std::unique_ptr<pg_conn, Finish> connection_;
    std::int64_t login_again_ms_ = 0;  // monotonic
};

}  // namespace larder::replicas
