// larderd put together: the parts, the order they start and stop in.
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
    // Starts working. Throws std::runtime_error when something that cannot come later fails: a socket can't be bound.
    // `on_drain` is called, from some thread, when the API is asked to drain.
    Daemon(Settings settings, std::function<void()> on_drain);
    ~Daemon();

    // Replaces the settings that may change while running; those that need a restart stay, and are logged.
    void reload(Settings settings);

    // Ends: no more jobs, renders under way get settings.render.drain to finish, the rest goes back to the queue.
    void drain();

    // What drain() takes at most, and what comes after it.
    std::chrono::milliseconds longest_drain() const;

    // None of its loops has hung for longer than this.
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
