// Probes every configured database server, and chooses the one that a regeneration reads from.
//
//   Chooser chooser(settings.databases);
//   chooser.start();
//   Choice choice = chooser.choose({.urgency = Class::background, .positions = positions});
//   if (choice.hold) requeue after choice.retry_after, log choice.reason;
//   else send Larder-Route: signer.sign(route_value(choice.alias, job.position, path, deadline_ms), now_s),
//        and keep `choice` until the backend has answered: its token counts as load on the server.
//
// Each server is probed by a thread of its own over a connection of its own, so that one that hangs delays no other. The
// decisions are in decide/, without clock and network.
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

// Counts as load on the chosen server as long as it exists. May outlive the Chooser and be destroyed on any thread.
class InFlight {
public:
    InFlight() = default;
    explicit InFlight(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}

private:
    std::shared_ptr<void> hold_;
};

struct Request {
    Class urgency = Class::background;
    std::span<const std::string> positions;  // that the server must have replayed (cache/position.hpp); empty strings are ignored
    // The fraction of its patience that the work has used up: 0 new, 1 at its deadline. From 0.8 on, a background job
    // is no longer held until a replica in rotation qualifies: it gets the replica with the least lag that has replayed the
    // positions, or else the primary, within the primary's limits.
    double patience_used = 0.0;
    std::size_t database = 0;  // index into the settings
};

struct Choice {
    std::string alias;                         // the server to read from; empty when hold
    bool primary = false;                      // that server is the primary
    bool hold = false;                         // no server qualifies: don't render now
    std::chrono::milliseconds retry_after{0};  // with hold: when to ask again
    const char* reason = "";  // why this server, or why none; never empty, for logs
    InFlight token;
    // Positions of this database that its servers can't ever reach, each with the one to use in its place. The caller should
    // replace them where they are stored.
    std::vector<Replaced> replaced;
};

class Chooser {
public:
    // Preconditions: validate(databases) finds no problem, and there is at least one database.
    explicit Chooser(std::vector<DatabaseSettings> databases);
    ~Chooser();  // stops
    Chooser(const Chooser&) = delete;
    Chooser& operator=(const Chooser&) = delete;

    // Starts a probing thread for each server, with all signals blocked. May be called again after stop(). Throws
    // std::system_error when a thread can't be created.
    void start();
    // Ends the probing threads. Returns at once, unless a server's name is being resolved and DNS doesn't answer.
    void stop();

    // Chooses a server. Does no I/O. Holds until the first probes have come back, which takes milliseconds. Thread-safe, but
    // must not run at the same time as start() or stop().
    Choice choose(const Request& request);

    // Thread-safe snapshots. Nodes are in the settings' order, primaries first. Alarms are sentences, about split brain or
    // servers of another cluster.
    std::vector<NodeStatus> status() const;
    std::vector<std::string> alarms() const;
    // For each database, the number of different impossible positions that came (decide/fences.hpp).
    std::map<std::string, std::uint64_t> refused_positions() const;

    const std::vector<DatabaseSettings>& settings() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// The value of the Larder-Route header, to be signed with Signer(keys, route_salt):
//   alias=<alias>;fence=<position>;fragment=<path>;deadline=<unix ms>
// A malformed position is left out. Bytes of `path` that aren't printable ASCII are percent-encoded. The path may contain the
// separators, so a reader must take everything between "fragment=" and the last ";deadline=".
std::string route_value(std::string_view alias, std::string_view position, std::string_view path,
                        std::int64_t deadline_unix_ms);

}  // namespace larder::replicas
