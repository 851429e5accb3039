// Renders each [[prerender]] set into its store on a schedule, and writes its pages into files. Sets run in parallel, each
// on a thread of its own. A hard purge of anything that a file contains removes the file.
#pragma once

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/common.h>

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

    // Ends the runs under way at their next page, and starts no more. Doesn't wait.
    void stop() { stopping_ = true; }

private:
    // A page to be rendered. An entry rendered since `since_ms` is new enough.
    struct Wanted {
        PageAddress page;
        UnixMs since_ms = 0;
        unsigned failures = 0;
        UnixMs due_ms = 0;  // not tried before this time
    };
    struct Result {
        bool complete = true;         // all sitemaps could be fetched
        std::vector<Wanted> missing;  // pages to try again
    };
    // yes: the page is in the store and, if wanted, in its file. not_yet: try again. never: the site's answer can't become
    // a file.
    enum class Rendered : std::uint8_t { yes, not_yet, never };

    void look();
    Result run(const Settings& settings, const PrerenderSettings& set);
    std::vector<Wanted> render_pages(const Settings& settings, const PrerenderSettings& set, std::vector<Wanted> pages);
    Rendered render_page(PageSource& source, Store& store, const PrerenderSettings& set, const Wanted& wanted,
                         UnixMs deadline_ms);
    static std::vector<Wanted> take_due(std::vector<Wanted>& missing);
    void remove_purged();
    bool take_away(const std::string& directory, const PageAddress& page, spdlog::level::level_enum failure);
    bool remember_file(const std::string& directory, const PageAddress& page, Store& store,
                       std::vector<PageSource::Given> entries);
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
    // A file that was written, with the entries that it was made of: a hard purge of one of them removes it.
    struct File {
        PageAddress page;
        Store* store = nullptr;
        std::vector<PageSource::Given> entries;
    };
    std::mutex files_mutex_;  // guards what follows
    std::map<std::pair<std::string, std::string>, File> files_;  // by directory and path
    std::map<std::pair<std::string, std::string>, PageAddress> unremoved_;  // purged, but their files can't be removed yet

    struct Schedule {
        UnixMs next_ms = 0;
        std::future<Result> run;      // the one under way
        std::vector<Wanted> missing;  // tried again before the next run
    };
    // Used by the ticker's thread alone:
    std::map<std::string, std::vector<PageAddress>> removed_;  // by directory: pages purged, to be rendered at once
    std::map<const Store*, std::uint64_t> purges_looked_at_;  // sequence of the newest purge seen
    std::map<std::string, Schedule> schedules_;  // by set; its destructor waits for the runs, which use all members above
    Ticker ticker_;                              // last: it uses all the others
};

}  // namespace larder::daemon
