// The chooser: probes every configured database server and says which one a regeneration should read from.
//
//   Chooser chooser(settings.databases);
//   chooser.start();
//   Choice choice = chooser.choose({.urgency = Class::background, .positions = positions});
//   if (choice.hold) requeue after choice.retry_after, log choice.reason;
//   else send Larder-Route: signer.sign(route_value(choice.alias, job.position, path, deadline_ms), now_s),
//        and keep `choice` until the backend has answered: its token is what counts as load.
//
// Each server has a probing thread with a connection of its own, so one that hangs delays nobody. All
// decisions are in decide/ and know neither clock nor network.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/replicas/decide/choice.hpp"
#include "daemon/replicas/decide/fences.hpp"
#include "daemon/replicas/settings.hpp"
#include "daemon/replicas/status.hpp"

namespace larder::replicas {

// Counts one piece of work against its server for as long as it lives. May outlive the Chooser; movable
// between threads.
class InFlight {
public:
    InFlight() = default;
    explicit InFlight(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}

private:
    std::shared_ptr<void> hold_;
};

struct Request {
    Class urgency = Class::background;
    std::span<const std::string> positions;  // that the answer must have seen, as in decide/position.hpp; empty ones: none
    // Part of the time this work may wait that has gone by: 0 new, 1 its deadline. From 0.8 on a background
    // job is no longer held for freshness: it gets the least-lagged replica that satisfies them, or the
    // primary under its cap.
    double patience_used = 0.0;
    std::size_t database = 0;  // index into the settings
};

struct Choice {
    std::string alias;                         // the server to read from; empty when hold
    bool primary = false;                      // that server is the primary
    bool hold = false;                         // don't render now: keep what is stored and come back
    std::chrono::milliseconds retry_after{0};  // when hold
    const char* reason = "";  // a short text for logs, always there: why this server, or why none
    InFlight token;
    // Positions of this database that its servers can't have, with those that they stand for. Whoever remembers one had
    // better remember the other in its place.
    std::vector<Replaced> replaced;
};

class Chooser {
public:
    // Precondition: validate(databases) is empty, and there is at least one.
    explicit Chooser(std::vector<DatabaseSettings> databases);
    ~Chooser();  // stops
    Chooser(const Chooser&) = delete;
    Chooser& operator=(const Chooser&) = delete;

    // Starts the probing threads (one for each server); may be called again after stop(). Signals stay with
    // the caller: the threads block all of them. Throws std::system_error when a thread can't be made.
    void start();
    // Returns when all have ended: at once, unless a server's name is being looked up by a DNS that doesn't
    // answer.
    void stop();

    // Thread-safe (but not beside start and stop) and quick, no I/O. Until the first probes have come back,
    // which takes milliseconds, it holds.
    Choice choose(const Request& request);

    // Thread-safe snapshots: nodes in the settings' order, primary first; alarms as sentences (split brain,
    // strangers).
    std::vector<NodeStatus> status() const;
    std::vector<std::string> alarms() const;
    // By database: how many different positions came that it can't have (decide/fences.hpp).
    std::map<std::string, std::uint64_t> refused_positions() const;

    const std::vector<DatabaseSettings>& settings() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// The value of the Larder-Route header, to be signed with Signer(keys, route_salt):
//   alias=<alias>;fence=<position>;fragment=<path>;deadline=<unix ms>
// A position that isn't well-formed is left out; bytes of `path` that aren't printable ASCII are
// percent-encoded. The path may hold the separators: readers take what lies between "fragment=" and the last
// ";deadline=".
std::string route_value(std::string_view alias, std::string_view position, std::string_view path,
                        std::int64_t deadline_unix_ms);

}  // namespace larder::replicas
