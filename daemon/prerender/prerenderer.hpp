// Prerenders on a schedule: each [[prerender]] set is rendered into its store, and written into files.
#pragma once

#include <atomic>
#include <future>
#include <map>

#include "daemon/live_settings.hpp"
#include "daemon/metrics.hpp"
#include "daemon/prerender/page_source.hpp"
#include "daemon/queue/queue.hpp"
#include "daemon/render/backend_client.hpp"
#include "daemon/stores/stores.hpp"
#include "daemon/ticker.hpp"

namespace larder::daemon {

class Prerenderer {
public:
    Prerenderer(const LiveSettings& settings, Queue& queue, const Stores& stores, BackendClient& client,
                Metrics& metrics);
    ~Prerenderer();

    // Ends a run at its next page; no further run begins.
    void stop() { stopping_ = true; }

private:
    void look();
    void run(const Settings& settings, const PrerenderSettings& set);
    void render_pages(const Settings& settings, const PrerenderSettings& set,
                      const std::vector<PageAddress>& pages, UnixMs since_ms);
    bool render_page(PageSource& source, const PrerenderSettings& set, const PageAddress& page,
                     UnixMs since_ms, UnixMs deadline_ms);
    std::vector<PageAddress> pages_of(const Settings& settings, const PrerenderSettings& set);
    std::vector<std::string> sitemap_urls(const Settings& settings, const std::string& url, std::size_t most,
                                          bool may_nest);
    std::string fetch_sitemap(const Settings& settings, const std::string& url);

    const LiveSettings& settings_;
    Queue& queue_;
    const Stores& stores_;
    BackendClient& client_;
    Metrics& metrics_;
    std::atomic<bool> stopping_ = false;
    std::map<std::string, UnixMs> next_run_ms_;  // by set; of the ticker's thread alone
    Ticker ticker_;                              // last: it uses all the others
};

}  // namespace larder::daemon
