// The queue of jobs: one state machine, and the contract that Redis and memory both keep (tests/daemon/queue_conformance.hpp).
//
//              enqueue                claim                 finish
//    (absent) ---------> queued ----------------> running ---------> (absent), or queued again if dirty
//                          ^                      |  |  |
//                          |      lease expired   |  |  | fail
//                          +----------------------+  |  v
//                          +<------- postpone -------+ waiting (back-off) ---> queued
//                          |                           |
//                          +<--- dirty --- given up <--+ after so many attempts; (absent) after a while
//
// A job that no daemon can do is refused: it has no bytes any more, enqueuers are told so, and it is absent after a while.
//
// There is at most one job for a key. An urgent job (a purge) for one that is running, waiting or given up marks it dirty
// and replaces its bytes: it will run once more, or at all. Any other job for it is dropped as `running`: so back-off holds
// however many visitors ask. An urgent job for a queued one replaces its bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace larder::daemon {

// What became of an enqueue; the words are those that nginx gets.
enum class Enqueued : std::uint8_t {
    fresh,     // "new"
    dup,       // queued already
    raised,    // queued already, now due earlier
    running,   // running, waiting or given up; dropped
    dirty,     // the same, but urgent: will run once more
    refused,   // a daemon took it lately and could not do it: whoever asks must see to it himself
    nodaemon,  // nobody takes jobs; dropped
    full,      // no room; dropped
};
const char* to_string(Enqueued result);

// The right to run a job, until its deadline unless renewed. `token` tells this lease from any other for the same key.
struct Lease {
    std::string key;
    std::string token;

    bool operator==(const Lease&) const = default;
};

struct Claim {
    Lease lease;
    std::string job;  // bytes as enqueued
    unsigned failed_attempts = 0;
    std::chrono::milliseconds overdue{};  // since it was due: says how urgent it is (cache/priority.hpp)
    std::chrono::milliseconds age{};  // since it was enqueued, by the queue's clock; a job whose bytes are replaced keeps its age
};

enum class Finished : std::uint8_t {
    removed,
    requeued,
    lost
};  // lost: the lease had expired, someone else has the job
// What failed the job: something about it, which it may do so many times; or a server that was away, which is not its fault.
enum class Attempt : std::uint8_t { counts, free };
enum class Failed : std::uint8_t { waiting, given_up, lost };

struct QueueDepths {
    std::int64_t queued = 0;  // all that wait for a claim
    std::int64_t due = 0;     // of these, those whose time has come
    std::int64_t running = 0;
    std::int64_t waiting = 0;   // between attempts, or given up for now
    std::int64_t given_up = 0;  // in the list of given-up jobs
};

struct QueueLimits {
    std::chrono::milliseconds lease{15000};
    unsigned attempts = 5;
    std::chrono::milliseconds give_up_for{600000};
};

// All methods may be called from any thread and throw std::runtime_error when the queue cannot be reached.
class Queue {
public:
    virtual ~Queue() = default;

    // Of `limits` the number of attempts and the time that given-up jobs rest; the lease stays.
    virtual void set_limits(const QueueLimits& limits) = 0;

    // `delay` counts from now; a negative one goes before others.
    virtual Enqueued enqueue(std::string_view key, std::string_view job, std::chrono::milliseconds delay,
                             bool urgent) = 0;

    // At most `most` jobs whose time has come, the earliest due first. Doesn't wait.
    virtual std::vector<Claim> claim(std::size_t most) = 0;

    // Waits until a claim may be worthwhile, at most `longest`.
    virtual void wait(std::chrono::milliseconds longest) = 0;

    virtual Finished finish(const Lease& lease) = 0;
    // `wait`: before the next attempt, if there is one.
    virtual Failed fail(const Lease& lease, std::chrono::milliseconds wait, Attempt attempt) = 0;
    // The job cannot be done by any daemon. False: lost.
    virtual bool refuse(const Lease& lease) = 0;
    // Puts the job back, due after `delay`, without counting an attempt; sooner, if it was enqueued again meanwhile with an earlier
    // due time. False: lost.
    virtual bool postpone(const Lease& lease, std::chrono::milliseconds delay) = 0;
    // Makes a job that is running run once more, with these bytes; no effect when it is marked already.
    virtual void run_again(const Lease& lease, std::string_view job) = 0;

    // Extends leases to the full length. Returns those that were lost.
    virtual std::vector<Lease> renew(const std::vector<Lease>& leases) = 0;
    // Queues what was running when its daemon died, and what has waited long enough. Returns how many crashed leases it found.
    virtual std::size_t reap() = 0;

    // Tells enqueuers for the next `lifetime` that somebody takes jobs; 0: no longer.
    virtual void announce(std::chrono::milliseconds lifetime) = 0;

    // Whether there is a job for the key that will still be tried: false for one given up.
    virtual bool pending(std::string_view key) = 0;
    virtual QueueDepths depths() = 0;
    // Something that may lose jobs, to be logged at start; empty: nothing.
    virtual std::string warning() { return {}; }
};

}  // namespace larder::daemon
