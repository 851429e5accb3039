// Takes a claimed job to a stored entry. The steps run on the workers' threads; between call and commit the request is on
// BackendClient's thread.
//
//   prepare   decodes the job, checks whether it is still wanted, builds the request, waits at the gate
//   call      reads the fence, asks the router for a replica, sends the request: to the backend if a [[backend]] has the host, else
//             to nginx
//   commit    nginx has answered: it has stored the page, or says why not.
//             A backend has answered: may it be stored? If so: plan, index -> put -> purges since the fence.
//             Ends the job.
//
// A failed answer never replaces a good entry; the job is tried again. An answer that may not be stored ends the job.
#pragma once

#include <atomic>
#include <functional>
#include <random>

#include "cache/entry.hpp"
#include "cache/response/storable.hpp"
#include "daemon/live_settings.hpp"
#include "daemon/metrics.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/render/backend_client.hpp"
#include "daemon/render/by_nginx.hpp"
#include "daemon/render/gate.hpp"
#include "daemon/render/plan.hpp"
#include "daemon/render/route.hpp"
#include "daemon/stores/stores.hpp"
#include "daemon/workers.hpp"

namespace larder::daemon {

class Regenerator {
public:
    struct Parts {
        const LiveSettings& settings;
        Queue& queue;
        const Stores& stores;
        Workers& workers;
        Backends& client;
        Gate& gate;
        Metrics& metrics;
        Router router;  // empty: no databases
    };

    explicit Regenerator(Parts parts) : parts_(std::move(parts)) {}

    // Starts the job; doesn't wait. `ended` is called at most once, on any thread, when this larderd no longer holds the
    // lease. It is destroyed, in every case, when nothing works on the job any more.
    void start(Claim claim, std::function<void(Outcome)> ended);

private:
    struct Render;
    using Shared = std::shared_ptr<Render>;

    void guarded(const Shared& render, void (Regenerator::*step)(const Shared&));
    void prepare(const Shared& render);
    void read_stored(Render& render);
    bool is_wanted(const Render& render);
    void add_condition(Render& render);
    void enter_gate(const Shared& render);
    void call(const Shared& render);
    void commit(const Shared& render);
    void commit_by_nginx(const Shared& render);
    void end_stored_by_nginx(const Shared& render, const std::string& key);
    void ask_next_nginx(const Shared& render);
    bool prepare_request(const Shared& render);
    bool decode(Render& render, Storability& storability);
    void revalidate(const Shared& render, const Answer& answer);
    static void stamp(const Render& render, EntryParts& parts);
    static void store_part(const Render& render, const NamedPart& part);
    void withdraw(const Shared& render, const std::string& why);
    void store_entry(const Shared& render, const std::string& bytes);
    void enqueue_fragments(const Render& render, const EntryView& page);
    void end(const Shared& render, Outcome outcome, const std::string& why);
    void fail(const Shared& render, const std::string& why, Attempt attempt,
              std::chrono::milliseconds at_least = {});
    void refuse(const Shared& render, const std::string& why);
    void postpone(const Shared& render, std::chrono::milliseconds delay, const std::string& why);
    void report(const Shared& render, Outcome outcome, const std::string& why);

    Parts parts_;
    NginxServers nginx_servers_;
};

}  // namespace larder::daemon
