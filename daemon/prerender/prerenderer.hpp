// Prerenders on a schedule: each [[prerender]] set is rendered into its store, and written into files. Sets run beside each
// other, each on a thread of its own. A hard purge of anything that is in a file removes the file.
#pragma once

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

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
    Prerenderer(const LiveSettings& settings, Queue& queue, const Stores& stores, Backends& client,
                Metrics& metrics);
    ~Prerenderer();

    // Ends a run at its next page; no further run begins.
    void stop() { stopping_ = true; }

private:
    // A page to be rendered: what was rendered since `since_ms` will do.
    struct Wanted {
        PageAddress page;
        UnixMs since_ms = 0;
        unsigned failures = 0;
        UnixMs due_ms = 0;  // not before then
    };
    struct Result {
        bool complete = true;         // all of the list was had
        std::vector<Wanted> missing;  // pages that may be had later
    };
    enum class Rendered : std::uint8_t { yes, not_yet, never };

    void look();
    Result run(const Settings& settings, const PrerenderSettings& set);
    std::vector<Wanted> render_pages(const Settings& settings, const PrerenderSettings& set, std::vector<Wanted> pages);
    Rendered render_page(PageSource& source, Store& store, const PrerenderSettings& set, const Wanted& wanted,
                         UnixMs deadline_ms);
    static std::vector<Wanted> take_due(std::vector<Wanted>& missing);
    void remove_purged();
    void remember_file(const std::string& directory, const PageAddress& page, Store& store, PageSource::Given given);
    static bool was_purged_hard(Store& store, const std::string& directory, const PageAddress& page);
    std::vector<PageAddress> pages_of(const Settings& settings, const PrerenderSettings& set, bool& complete);
    void add_sitemap(const Settings& settings, const PrerenderSettings& set, const std::string& url,
                     bool may_nest, std::vector<std::string>& urls, bool& complete);
    std::string fetch_sitemap(const Settings& settings, std::string url);
    BackendAnswer fetch(const Settings& settings, const std::string& url);

    const LiveSettings& settings_;
    Queue& queue_;
    const Stores& stores_;
    Backends& client_;
    Metrics& metrics_;
    std::atomic<bool> stopping_ = false;
    // What was put into a file, for purges to find it.
    struct File {
        PageAddress page;
        Store* store = nullptr;
        std::uint64_t fence = 0;
        std::vector<std::uint64_t> hashes;
    };
    std::mutex files_mutex_;  // guards what follows
    std::map<std::pair<std::string, std::string>, File> files_;  // by directory and path

    struct Schedule {
        UnixMs next_ms = 0;
        std::future<Result> run;      // the one under way
        std::vector<Wanted> missing;  // tried again before the next run
    };
    // Of the ticker's thread alone:
    std::map<std::string, std::vector<PageAddress>> removed_;  // by directory: purged, to be written anew at once
    std::map<const Store*, std::uint64_t> purges_looked_at_;  // up to which sequence
    std::map<std::string, Schedule> schedules_;  // by set. Their end waits for the runs, which use all that is above
    Ticker ticker_;                              // last: it uses all the others
};

}  // namespace larder::daemon
