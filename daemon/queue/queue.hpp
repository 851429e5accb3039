// The job queue: the state machine, and the contract that both implementations, in Redis and in memory, keep
// (tests/daemon/queue_conformance.hpp).
//
//              enqueue                claim                 finish
//    (absent) ---------> queued ----------------> running ---------> (absent), or queued again if dirty
//                          ^                      |  |  |
//                          |      lease expired   |  |  | fail
//                          +----------------------+  |  v
//                          +<------- postpone -------+ waiting (back-off) ---> queued
//                          |                           |
//                          +<--- dirty --- given up <--+ after `attempts`; (absent) after `give_up_for`
//
// A job that no larderd can do is refused: it loses its bytes, enqueue() answers `refused`, and it is absent after
// `give_up_for`.
//
// There is at most one job per key. If a job is running, waiting or given up, an urgent enqueue (a purge, a refresh by
// hand) replaces its bytes and marks it dirty, so that it will run again. Any other enqueue is dropped as `running`, so that
// visitors can't defeat the back-off. If a job is queued, an urgent enqueue replaces its bytes, and an earlier due time takes
// effect.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace larder::daemon {

// The result of an enqueue; to_string() gives the word that nginx gets.
enum class Enqueued : std::uint8_t {
    fresh,     // "new": queued
    dup,       // was queued already
    raised,    // was queued already; is due earlier now
    running,   // is running, waiting or given up; the enqueue was dropped
    dirty,     // the same, but urgent: the job will run again
    refused,   // no larderd can do this job (see Queue::refuse); the caller must regenerate the page by other means
    nodaemon,  // no larderd takes jobs; dropped
    full,      // too many jobs; dropped
};
const char* to_string(Enqueued result);

// The right to run a job, until the lease's deadline, which renew() extends. `token` distinguishes it from other leases
// for the same key.
struct Lease {
    std::string key;
    std::string token;

    bool operator==(const Lease&) const = default;
};

struct Claim {
    Lease lease;
    std::string job;  // bytes as enqueued
    unsigned failed_attempts = 0;
    std::chrono::milliseconds overdue{};  // time since it was due; the caller derives its priority from it (cache/priority.hpp)
    std::chrono::milliseconds age{};  // time since it was first enqueued, by the queue's clock; replacing the bytes doesn't reset it
};

enum class Finished : std::uint8_t {
    removed,
    requeued,
    lost
};  // lost: the lease had expired, and the job may be another larderd's
// counts: the failure counts towards the job's `attempts`. free: it doesn't, because a server was down.
enum class Attempt : std::uint8_t { counts, free };
enum class Failed : std::uint8_t { waiting, given_up, lost };

struct QueueDepths {
    std::int64_t queued = 0;  // jobs that may be claimed, now or later
    std::int64_t due = 0;     // of these, the jobs whose due time has passed
    std::int64_t running = 0;
    std::int64_t waiting = 0;   // between attempts, or given up for now
    std::int64_t given_up = 0;  // in the list of given-up jobs
};

struct QueueLimits {
    std::chrono::milliseconds lease{15000};         // length of a lease
    unsigned attempts = 5;                          // failures after which a job is given up
    std::chrono::milliseconds give_up_for{600000};  // how long a job that was given up or refused blocks its key
};

// All methods may be called from any thread and throw std::runtime_error when the queue cannot be reached.
class Queue {
public:
    virtual ~Queue() = default;

    // Changes `attempts` and `give_up_for`; ignores `lease`.
    virtual void set_limits(const QueueLimits& limits) = 0;

    // Adds a job, or changes the one that the key has, as the state machine says. It is due `delay` from now. A negative
    // delay gives it priority: the job with the earliest due time is claimed first. `urgent`: it is a purge.
    virtual Enqueued enqueue(std::string_view key, std::string_view job, std::chrono::milliseconds delay,
                             bool urgent) = 0;

    // Claims at most `most` jobs whose due time has passed, the earliest due first. Doesn't wait for jobs.
    virtual std::vector<Claim> claim(std::size_t most) = 0;

    // Blocks until there may be a job to claim, at most `longest`.
    virtual void wait(std::chrono::milliseconds longest) = 0;

    // The job is done.
    virtual Finished finish(const Lease& lease) = 0;
    // The job has failed. `wait`: how long before the next attempt, if there is one.
    virtual Failed fail(const Lease& lease, std::chrono::milliseconds wait, Attempt attempt) = 0;
    // No larderd can do the job. Returns false when the lease was lost.
    virtual bool refuse(const Lease& lease) = 0;
    // Puts the job back into the queue, due after `delay`, or earlier if it was enqueued meanwhile with an earlier due
    // time. Not a failed attempt. Returns false when the lease was lost.
    virtual bool postpone(const Lease& lease, std::chrono::milliseconds delay) = 0;
    // Marks the running job dirty and replaces its bytes, so that it runs again. No effect if it is dirty already or the
    // lease was lost.
    virtual void run_again(const Lease& lease, std::string_view job) = 0;

    // Extends the leases to their full length from now. Returns those that were lost.
    virtual std::vector<Lease> renew(const std::vector<Lease>& leases) = 0;
    // Queues jobs whose lease has expired, because their larderd died, and jobs whose wait is over. Returns the number of
    // expired leases.
    virtual std::size_t reap() = 0;

    // Heartbeat: for the next `lifetime`, enqueue() accepts jobs because this larderd takes them. 0 withdraws it.
    virtual void announce(std::chrono::milliseconds lifetime) = 0;

    // Whether the key has a job that will be tried; false for one that is given up or refused.
    virtual bool pending(std::string_view key) = 0;
    virtual QueueDepths depths() = 0;
    // A message about a configuration that may lose jobs, for the log; empty if there is none.
    virtual std::string warning() { return {}; }
};

}  // namespace larder::daemon
