// One server's probe: a connection of its own, one query, a deadline for each.
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
        std::int64_t sent_ms = 0;  // monotonic; the server looked between these two
        std::int64_t received_ms = 0;
    };
    struct Interrupted {};
    using Result =
        std::variant<Answer, std::string, Interrupted>;  // the string says what went wrong, on one line

    // `stop_fd` becomes readable when a probe under way shall end at once; not owned. `timeout_ms` bounds
    // connecting, and again the query. PostgreSQL 12 or later; the role needs only LOGIN, with pg_monitor it
    // also sees how busy the server is.
    Probe(std::string dsn, std::int64_t timeout_ms, int stop_fd);
    ~Probe();

    // Connects if need be and asks. A connection that the server has closed since the last time is made anew,
    // once. Every few seconds the connection is replaced: whether the server takes logins is a part of the answer, as those who
    // are sent there must log in.
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
