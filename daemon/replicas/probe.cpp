// Uses libpq's asynchronous calls, so that a probe of a server that hangs ends at its timeout.
#include "daemon/replicas/probe.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>

namespace larder::replicas {

namespace {

constexpr std::int64_t login_every_ms = 2000;

// CASE avoids functions that raise an error on a primary or on a replica, respectively. A row of pg_stat_wal_receiver
// without a status means that the role lacks pg_monitor. Timeline of a primary: taken from the name of the current WAL
// file, because the control file of a promoted server has the old timeline until its next checkpoint. Timeline of a
// replica: the one that it receives; if it receives nothing, that of its last checkpoint.
constexpr const char* question = R"sql(
select r.in_recovery,
       case when r.in_recovery then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end,
       case when r.in_recovery
            then coalesce((select received_tli from pg_stat_wal_receiver),
                          (select timeline_id from pg_control_checkpoint()))
            else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint end,
       exists (select from pg_stat_wal_receiver where coalesce(status, 'streaming') = 'streaming'),
       case when r.in_recovery then pg_is_wal_replay_paused() else false end,
       (select system_identifier from pg_control_system()),
       (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint,
       (select count(*) from pg_stat_activity
         where backend_type = 'client backend' and state = 'active' and pid <> pg_backend_pid()),
       current_setting('max_connections'),
       current_setting('wal_block_size'),
       pg_size_bytes(current_setting('wal_segment_size'))
  from (select pg_is_in_recovery() as in_recovery) as r
)sql";

enum Column {
    in_recovery,
    position,
    timeline,
    streaming,
    replay_paused,
    system_identifier,
    instance,
    active,
    max_connections,
    wal_page,
    wal_segment,
    columns
};

struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, Clear>;

std::string one_line(const char* text) {
    std::string line = text;
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

template <typename Integer>
bool read_number(const PGresult* result, int column, Integer& value) {
    const char* text = PQgetvalue(result, 0, column);
    const char* end = text + PQgetlength(result, 0, column);
    return std::from_chars(text, end, value).ptr == end && text != end;
}

// Parses the row. Returns false if it is malformed. A NULL position, of a standby that has replayed nothing yet, becomes 0.
bool read_row(const PGresult* result, Observation& seen) {
    if (PQntuples(result) != 1 || PQnfields(result) != columns) return false;
    auto flag = [result](int column) { return std::strcmp(PQgetvalue(result, 0, column), "t") == 0; };
    seen.in_recovery = flag(in_recovery);
    seen.streaming = flag(streaming);
    seen.replay_paused = flag(replay_paused);
    if (PQgetisnull(result, 0, position) == 0) {
        auto lsn = parse_lsn(PQgetvalue(result, 0, position));
        if (!lsn) return false;
        seen.position = *lsn;
    }
    // PostgreSQL shows system identifiers as signed 64-bit numbers.
    std::int64_t system = 0;
    bool read =
        read_number(result, timeline, seen.timeline) && read_number(result, system_identifier, system) &&
        read_number(result, instance, seen.instance) && read_number(result, active, seen.active) &&
        read_number(result, max_connections, seen.max_connections) &&
        read_number(result, wal_page, seen.wal.page) && read_number(result, wal_segment, seen.wal.segment) &&
        seen.wal.page > 0 && seen.wal.segment > 0;
    if (!read) return false;
    seen.system = static_cast<std::uint64_t>(system);
    if (!seen.in_recovery) seen.position = end_of_last_record(seen.position, seen.wal);
    return true;
}

}  // namespace

std::int64_t monotonic_ms() {
    auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

void Probe::Finish::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

Probe::Probe(std::string dsn, std::int64_t timeout_ms, int stop_fd)
    : dsn_(std::move(dsn)), timeout_ms_(timeout_ms), stop_fd_(stop_fd) {}

Probe::~Probe() = default;

Probe::Result Probe::run() {
    Result result;
    Step step = Step::failed;
    // Keep the old connection open until the new one is established. Closing it first would free a connection slot, and a
    // server without free slots would seem to accept logins.
    std::unique_ptr<pg_conn, Finish> old;
    if (monotonic_ms() >= login_again_ms_) old = std::move(connection_);
    if (connection_) step = ask(result);
    if (step == Step::failed) {
        step = connect();
        if (step == Step::done) step = ask(result);
    }
    if (step == Step::done) return result;
    std::string error =
        step == Step::timed_out ? "nothing came within " + std::to_string(timeout_ms_) + " ms" : error_text();
    connection_.reset();
    if (step == Step::interrupted) return Interrupted{};
    return error;
}

Probe::Step Probe::connect() {
    const char* const keywords[] = {"dbname", "fallback_application_name", nullptr};
    const char* const values[] = {dsn_.c_str(), "larderd", nullptr};
    connection_.reset(PQconnectStartParams(keywords, values, 1));
    if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) return Step::failed;
    std::int64_t deadline_ms = monotonic_ms() + timeout_ms_;
    for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;
         state = PQconnectPoll(connection_.get())) {
        if (state == PGRES_POLLING_FAILED) return Step::failed;
        Step step = wait(state == PGRES_POLLING_WRITING, deadline_ms);
        if (step != Step::done) return step;
    }
    login_again_ms_ = monotonic_ms() + login_every_ms;
    return PQsetnonblocking(connection_.get(), 1) == 0 ? Step::done : Step::failed;
}

Probe::Step Probe::ask(Result& result) {
    PGconn* connection = connection_.get();
    auto start = std::chrono::steady_clock::now();
    Answer answer;
    answer.sent_ms = monotonic_ms();
    std::int64_t deadline_ms = answer.sent_ms + timeout_ms_;
    if (PQsendQuery(connection, question) != 1) return Step::failed;
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0) return Step::failed;
        if (unsent == 0 && PQisBusy(connection) == 0) break;
        Step step = wait(unsent == 1, deadline_ms);
        if (step != Step::done) return step;
        if (PQconsumeInput(connection) != 1) return Step::failed;
    }
    ResultPtr rows(PQgetResult(connection));
    answer.received_ms = monotonic_ms();
    std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    answer.seen.latency_ms = took.count();
    if (PQresultStatus(rows.get()) != PGRES_TUPLES_OK) return Step::failed;
    if (!read_row(rows.get(), answer.seen)) {
        result = std::string("an answer that PostgreSQL doesn't give");
        connection_.reset();
        return Step::done;
    }
    // Read up to the end of the results, unless it has not arrived yet: then it does before the next probe.
    while (PQisBusy(connection) == 0) {
        if (!ResultPtr(PQgetResult(connection))) break;
    }
    result = answer;
    return Step::done;
}

// Waits until the socket is readable (or writable), the deadline has passed, or stop_fd_ is readable.
Probe::Step Probe::wait(bool for_write, std::int64_t deadline_ms) {
    for (;;) {
        pollfd fds[2] = {
            {PQsocket(connection_.get()), static_cast<short>(for_write ? POLLIN | POLLOUT : POLLIN), 0},
            {stop_fd_, POLLIN, 0}};
        std::int64_t left_ms = deadline_ms - monotonic_ms();
        if (left_ms <= 0) return Step::timed_out;
        int ready = poll(fds, 2, static_cast<int>(left_ms));
        if (ready < 0 && errno != EINTR) return Step::failed;
        if (fds[1].revents != 0) return Step::interrupted;
        if (fds[0].revents != 0) return Step::done;
    }
}

std::string Probe::error_text() const {
    std::string text = connection_ ? one_line(PQerrorMessage(connection_.get())) : "out of memory";
    return text.empty() ? "the connection broke" : text;
}

}  // namespace larder::replicas
