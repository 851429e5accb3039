// The composition root of larderd: owns all its parts, and defines the order in which they start and stop.
#pragma once

#include <memory>

#include "daemon/api/calls.hpp"
#include "daemon/api/server.hpp"
#include "daemon/live_settings.hpp"
#include "daemon/metrics.hpp"
#include "daemon/prerender/prerenderer.hpp"
#include "daemon/purge/outbox.hpp"
#include "daemon/purge/purger.hpp"
#include "daemon/queue/job_socket.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/render/backend_client.hpp"
#include "daemon/render/gate.hpp"
#include "daemon/render/intake.hpp"
#include "daemon/render/regenerator.hpp"
#include "daemon/replicas/chooser.hpp"
#include "daemon/stores/stores.hpp"
#include "daemon/workers.hpp"

namespace larder::daemon {

class Daemon {
public:
    // Starts all parts. Throws std::runtime_error for a failure that retrying won't cure, such as an address that can't be
    // bound; a store or queue that is away is no such failure. `on_drain` is called, from any thread, when an API client asks
    // the daemon to drain.
    Daemon(Settings settings, std::function<void()> on_drain);
    ~Daemon();

    // Puts the new settings in force. Changes of settings that need a restart have no effect and are logged.
    void reload(Settings settings);

    // Stops claiming jobs, gives the renders under way settings.render.drain to finish, and puts the remaining jobs back into
    // the queue. Blocks until no job is in hand.
    void drain();

    // The longest time that drain() and the destructor take.
    std::chrono::milliseconds longest_drain() const;

    // For the watchdog: the thread that calls nginx and the backends has passed through its loop within `longest`, and so
    // has the one that claims jobs, which gets queue.poll and queue.timeout on top.
    bool turns(std::chrono::milliseconds longest) const;

private:
    void start_api(std::function<void()> on_drain);

    const UnixMs started_ms_ = unix_ms();
    LiveSettings settings_;
    const Settings started_with_;
    Metrics metrics_;
    Stores stores_;
    std::unique_ptr<Queue> queue_;
    Gate gate_;
    std::unique_ptr<Workers> workers_;
    std::unique_ptr<BackendClient> client_;
    std::unique_ptr<Regenerator> regenerator_;
    std::unique_ptr<replicas::Chooser> chooser_;
    std::unique_ptr<Intake> intake_;
    std::unique_ptr<JobSocket> job_socket_;
    std::unique_ptr<Purger> purger_;
    std::unique_ptr<Outbox> outbox_;
    std::unique_ptr<Prerenderer> prerenderer_;
    std::unique_ptr<ApiParts> api_parts_;
    std::unique_ptr<ApiServer> api_;
};

}  // namespace larder::daemon
