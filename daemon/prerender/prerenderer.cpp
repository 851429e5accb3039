// The ticker's thread starts the sets that are due. Within a set, jobs for many pages are enqueued ahead of the page that is
// awaited.
#include "prerenderer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "assemble.hpp"
#include "cache/entry.hpp"
#include "cache/request/key.hpp"
#include "cache/response/fields.hpp"
#include "daemon/queue/backoff.hpp"
#include "daemon/queue/new_job.hpp"
#include "daemon/render/random.hpp"
#include "daemon/render/request.hpp"
#include "daemon/stores/stored_entry.hpp"
#include "file_path.hpp"
#include "file_writer.hpp"
#include "sitemap.hpp"

namespace larder::daemon {

namespace {

constexpr std::chrono::milliseconds look_pause{200};
constexpr std::chrono::milliseconds retry_pause{
    60'000};  // after a run that lacked a part of its list, or that ended because the store or queue is away
constexpr Backoff missing_pause{std::chrono::seconds(1), std::chrono::minutes(10)};  // before a failed page is tried again
constexpr std::size_t most_missing_at_once = 64;  // bounds how long these retries delay the next run
constexpr std::size_t requested_ahead = 4;  // jobs in the queue per simultaneous request to the backend
constexpr int most_redirects = 3;
constexpr std::size_t most_nested_sitemaps = 100;
constexpr char run_file[] = ".larder-run";  // exists in a set's directory during a run; holds the Unix time in ms when that began

std::string url_of(const PageAddress& page) {
    return page.scheme + "://" + page.host + page.path + (page.query.empty() ? "" : "?" + page.query);
}

std::string header(const EntryView& entry, std::string_view name) {
    std::string found;
    entry.each_header([&](std::string_view n, std::string_view value) {
        if (found.empty() && equals_ignore_case(n, name)) found = value;
    });
    return found;
}

// Why the entry can't become a file, which nginx would serve as text/html; empty if it can.
std::string unfit(const EntryView& entry) {
    if (entry.head().status != 200) return "its status is " + std::to_string(entry.head().status);
    if (!header(entry, "content-type").starts_with("text/html")) return "it is not text/html";
    if (!header(entry, "content-encoding").empty()) return "the backend has encoded it";
    return {};
}

// The directories that the pages of one set have taken. No two pages may share one.
class Places {
public:
    explicit Places(const PrerenderSettings& set) : wanted_(!set.directory.empty()) {}

    // Takes the page's directory. Returns why that is impossible; empty on success.
    std::string take(const PageAddress& page) {
        if (!wanted_) return {};
        const char* why = nullptr;
        auto directories = file_directories(page.path, page.query, &why);
        if (!directories) return why;
        if (host_.empty()) host_ = page.host;
        if (page.host != host_) return "its files would lie among those of another host";
        auto [place, free] = pages_.emplace(*directories, page.path);
        return free || place->second == page.path
                   ? ""
                   : "its files would lie where those of " + place->second + " do";
    }

private:
    const bool wanted_;
    std::string host_;
    std::map<std::vector<std::string>, std::string> pages_;
};

void write_page(const std::string& root, const PageAddress& page, const std::string& html) {
    const char* why = nullptr;
    auto directories =
        file_directories(page.path, page.query, &why);  // exist: Places::take() has checked the page
    write_file(root, *directories, page_file_gzip, gzip(html));
    write_file(root, *directories, page_file, html);
}

void remove_page(const std::string& root, const PageAddress& page) {
    const char* why = nullptr;
    auto directories = file_directories(page.path, page.query, &why);
    remove_file(root, *directories, page_file);
    remove_file(root, *directories, page_file_gzip);
}

// The time at which this run began: now, or, if an earlier larderd has died during a run, the time at which that run
// began. Pages rendered since then are not rendered again.
UnixMs begin_of_run(const PrerenderSettings& set) {
    UnixMs now = unix_ms(), began = 0;
    if (set.directory.empty()) return now;
    try {
        auto left = read_file(set.directory, {}, run_file);
        std::string text = left ? left->bytes : "";
        std::from_chars(text.data(), text.data() + text.size(), began);
        if (began <= now && now - began < set.every.count()) return began;
        write_file(set.directory, {}, run_file, std::to_string(now));
    } catch (const std::exception& error) {  // goes on: pages can be rendered into the store without it
        spdlog::error("prerender {}: {}", set.name, error.what());
    }
    return now;
}

void end_run(const PrerenderSettings& set) {
    if (set.directory.empty()) return;
    try {
        remove_file(set.directory, {}, run_file);
    } catch (const std::exception&) {  // begin_of_run() has logged the cause
    }
}

bool is_gone(const EntryView& entry) {
    return entry.head().status == 404 || entry.head().status == 410;
}

}  // namespace

Prerenderer::Prerenderer(const LiveSettings& settings, Queue& queue, const Stores& stores, Backends& client,
                         Metrics& metrics)
    : settings_(settings),
      queue_(queue),
      stores_(stores),
      client_(client),
      metrics_(metrics),
      ticker_(look_pause, [this] { look(); }) {}

Prerenderer::~Prerenderer() {
    stop();
}

void Prerenderer::look() {
    auto settings = settings_.get();
    remove_purged();
    for (const PrerenderSettings& set : settings->prerenders) {
        Schedule& schedule = schedules_[set.name];
        if (schedule.run.valid()) {
            if (schedule.run.wait_for(std::chrono::seconds(0)) != std::future_status::ready) continue;
            Result result = schedule.run.get();
            if (!result.complete) schedule.next_ms = std::min(schedule.next_ms, unix_ms() + retry_pause.count());
            for (Wanted& missing : result.missing) schedule.missing.push_back(std::move(missing));
        }
        for (PageAddress& page : std::exchange(removed_[set.directory], {}))
            schedule.missing.push_back({.page = std::move(page), .since_ms = unix_ms()});
        if (stopping_) continue;
        const bool due = unix_ms() >= schedule.next_ms;
        std::vector<Wanted> again;
        if (due) {
            schedule.next_ms = unix_ms() + set.every.count();
            schedule.missing.clear();  // the run renders them, unless they are no longer in the list
        } else {
            again = take_due(schedule.missing);
            if (again.empty()) continue;
        }
        try {
            schedule.run = std::async(std::launch::async, [this, settings, set, due, again = std::move(again)] {
                try {
                    if (due) return run(*settings, set);
                    return Result{.missing = render_pages(*settings, set, again)};
                } catch (const std::exception& error) {
                    spdlog::error("prerender {}: {}", set.name, error.what());
                    return Result{.complete = false, .missing = {}};
                }
            });
        } catch (const std::exception& error) {
            spdlog::error("prerender {}: {}", set.name, error.what());
        }
    }
}

// Moves pages whose retry is due out of `missing`, at most most_missing_at_once.
std::vector<Prerenderer::Wanted> Prerenderer::take_due(std::vector<Wanted>& missing) {
    std::vector<Wanted> due;
    const UnixMs now = unix_ms();
    std::erase_if(missing, [&](Wanted& page) {
        if (page.due_ms > now || due.size() == most_missing_at_once) return false;
        due.push_back(std::move(page));
        return true;
    });
    return due;
}

Prerenderer::Result Prerenderer::run(const Settings& settings, const PrerenderSettings& set) {
    UnixMs since = begin_of_run(set);
    Result result;
    std::vector<Wanted> pages;
    for (PageAddress& page : pages_of(settings, set, result.complete))
        pages.push_back({.page = std::move(page), .since_ms = since});
    spdlog::debug("prerender {}: {} pages", set.name, pages.size());
    result.missing = render_pages(settings, set, std::move(pages));
    if (!stopping_) end_run(set);
    return result;
}

// Returns the pages that failed and are to be tried again.
std::vector<Prerenderer::Wanted> Prerenderer::render_pages(const Settings& settings, const PrerenderSettings& set,
                                                           std::vector<Wanted> pages) {
    const std::string& name = set.store.empty() ? stores_.first_name() : set.store;
    Store& store = *stores_.find(name);
    PageSource source(queue_, store, name, stopping_);
    Policy policy = policy_from(set);
    std::vector<Wanted> missing;
    std::size_t requested = 0;
    for (std::size_t i = 0; i < pages.size() && !stopping_; i++) {
        const BackendSettings* backend = backend_for(settings, pages[i].page.host);
        std::size_t ahead = requested_ahead * static_cast<std::size_t>(backend == nullptr ? settings.nginx.concurrency
                                                                                          : backend->concurrency);
        for (; requested < std::min(pages.size(), i + ahead); requested++)
            source.request(pages[requested].page, policy, pages[requested].since_ms);
        // Enough for the page, its fragments, and the jobs before it in the queue.
        UnixMs patience = 3 * (backend == nullptr ? settings.nginx.timeout : backend->timeout).count() + 5000;
        Rendered rendered = render_page(source, store, set, pages[i], unix_ms() + patience);
        if (stopping_) break;
        metrics_.prerendered(set.name, rendered == Rendered::yes);
        if (rendered != Rendered::not_yet) continue;
        Wanted again = std::move(pages[i]);
        again.due_ms = unix_ms() + missing_pause.after(++again.failures, random_fraction()).count();
        missing.push_back(std::move(again));
    }
    return missing;
}

// Renders one page and writes its file, if the set has a directory. Without a good new page the old file stays, unless the
// site says 404 or 410 or the page was purged hard: then it is removed.
Prerenderer::Rendered Prerenderer::render_page(PageSource& source, Store& store, const PrerenderSettings& set,
                                               const Wanted& wanted, UnixMs deadline_ms) {
    const PageAddress& page = wanted.page;
    const UnixMs since_ms = wanted.since_ms;
    bool is_final = false;  // the site has answered, but its answer can't become a file
    std::string why;
    source.take_given();
    try {
        auto bytes = source.await(page, policy_from(set), since_ms, deadline_ms, why);
        if (bytes && set.directory.empty()) return Rendered::yes;
        if (bytes) why = unfit(EntryView::trusted(*bytes));
        is_final = bytes && !why.empty();
        if (bytes && is_gone(EntryView::trusted(*bytes))) remove_page(set.directory, page);
        if (bytes && why.empty()) {
            PageAssembler assembler(source, policy_from(set), since_ms, deadline_ms);
            if (auto html = assembler.assemble(EntryView::trusted(*bytes), page, why)) {
                write_page(set.directory, page, *html);
                if (remember_file(set.directory, page, store, source.take_given())) return Rendered::yes;
                why = "it was purged meanwhile";
            }
        }
        if (!set.directory.empty() && was_purged_hard(store, set.directory, page)) remove_page(set.directory, page);
    } catch (const std::exception& error) {
        why = error.what();
    }
    if (!stopping_) spdlog::warn("prerender {}: no new page for {}: {}", set.name, url_of(page), why);
    return is_final ? Rendered::never : Rendered::not_yet;
}

// Returns false if the page was purged hard while its file was made. remove_purged() may have seen that purge already, so it is told
// of the files here.
bool Prerenderer::remember_file(const std::string& directory, const PageAddress& page, Store& store,
                                std::vector<PageSource::Given> entries) {
    PageSource::Given all = entries.front();  // one question for all: nearly always nothing was purged
    for (const PageSource::Given& entry : entries) {
        all.fence = std::min(all.fence, entry.fence);
        all.hashes.insert(all.hashes.end(), entry.hashes.begin(), entry.hashes.end());
    }
    auto is_purged = [&store](const PageSource::Given& entry) {
        return store.purges_since(entry.fence, entry.hashes).mode == PurgeMode::hard;
    };
    const std::pair<std::string, std::string> name(directory, page.path);
    {
        std::lock_guard lock(files_mutex_);
        files_[name] = {page, &store, entries};
        unremoved_.erase(name);
    }
    if (!is_purged(all) || std::none_of(entries.begin(), entries.end(), is_purged)) return true;
    std::lock_guard lock(files_mutex_);
    files_.erase(name);
    unremoved_.emplace(name, page);  // the ticker removes them
    return false;
}

// Removes the files of a page that was purged hard, and has the page rendered at once. Returns false if they can't be removed.
bool Prerenderer::take_away(const std::string& directory, const PageAddress& page, spdlog::level::level_enum failure) {
    try {
        remove_page(directory, page);
    } catch (const std::exception& error) {
        spdlog::log(failure, "{} was purged, but its files can't be removed, which is tried on: {}", url_of(page), error.what());
        return false;
    }
    spdlog::info("{} was purged: its files are removed", url_of(page));
    removed_[directory].push_back(page);
    return true;
}

void Prerenderer::remove_purged() {
    {
        std::lock_guard lock(files_mutex_);
        std::erase_if(unremoved_, [this](const auto& file) { return take_away(file.first.first, file.second, spdlog::level::debug); });
        if (files_.empty()) return;
    }
    for (const auto& [name, store] : stores_.all()) {
        std::vector<LoggedPurge> purges;
        try {
            std::uint64_t& looked_at = purges_looked_at_[store.get()];
            purges = store->logged_after(looked_at);
            if (!purges.empty()) looked_at = purges.back().sequence;
            std::erase_if(purges, [](const LoggedPurge& purge) { return purge.mode != PurgeMode::hard; });
        } catch (const std::exception& error) {
            spdlog::debug("hard purges of store {} wait: {}", name, error.what());
        }
        if (purges.empty()) continue;
        auto is_purged = [&purges](const PageSource::Given& entry) {
            return std::any_of(purges.begin(), purges.end(), [&entry](const LoggedPurge& purge) {
                return purge.sequence > entry.fence &&
                       std::find(entry.hashes.begin(), entry.hashes.end(), purge.hash) != entry.hashes.end();
            });
        };
        std::lock_guard lock(files_mutex_);
        std::erase_if(files_, [&, &store = store](const auto& known) {
            const auto& [place, file] = known;
            bool purged = file.store == store.get() && std::any_of(file.entries.begin(), file.entries.end(), is_purged);
            if (!purged) return false;
            if (!take_away(place.first, file.page, spdlog::level::err)) unremoved_.emplace(place, file.page);
            return true;
        });
    }
}

// For a file that may be of an earlier larderd, so that its tags are unknown. If the store still has the page's entry,
// purges of the entry's tags and URL count, else those of its URL that are younger than the file.
bool Prerenderer::was_purged_hard(Store& store, const std::string& directory, const PageAddress& page) {
    const char* why = nullptr;
    auto directories = file_directories(page.path, page.query, &why);
    auto file = directories ? read_file(directory, *directories, page_file) : std::nullopt;
    if (!file) return false;
    auto bytes = store.get(key_of(plain_variant(page)).text());
    auto entry = bytes ? EntryView::parse(*bytes, &why) : std::nullopt;
    if (entry) return store.purges_since(entry->head().fence, purge_hashes(*entry)).mode == PurgeMode::hard;
    PurgeSeen purge = store.purges_since(0, {url_tag_hash(page.host, page.path)});
    return purge.mode == PurgeMode::hard && purge.at_ms > file->changed_ms;
}

std::vector<PageAddress> Prerenderer::pages_of(const Settings& settings, const PrerenderSettings& set,
                                               bool& complete) {
    auto most = static_cast<std::size_t>(set.max_urls);
    std::vector<std::string> urls = set.urls;
    if (!set.sitemap.empty()) add_sitemap(settings, set, set.sitemap, true, urls, complete);
    if (urls.size() > most) {
        spdlog::warn("prerender {}: {} pages, {} are left out", set.name, urls.size(), urls.size() - most);
        urls.resize(most);
    }
    std::vector<PageAddress> pages;
    Places places(set);
    for (const std::string& url : urls) {
        auto page = parse_page_url(url);
        std::string why = page ? places.take(*page) : "not an absolute URL";
        if (why.empty()) {
            pages.push_back(std::move(*page));
        } else {
            spdlog::warn("prerender {}: {} is left out: {}", set.name, url, why);
        }
    }
    return pages;
}

// Appends the pages of a sitemap to `urls`. A sitemap that can't be fetched is logged, and makes `complete` false.
void Prerenderer::add_sitemap(const Settings& settings, const PrerenderSettings& set, const std::string& url,
                              bool may_nest, std::vector<std::string>& urls, bool& complete) {
    auto most = static_cast<std::size_t>(set.max_urls) + 1;
    std::optional<Sitemap> sitemap;
    std::string why;
    try {
        sitemap = parse_sitemap(fetch_sitemap(settings, url), most, why);
    } catch (const std::exception& error) {
        why = error.what();
    }
    if (!sitemap) {
        spdlog::warn("prerender {}: sitemap {}: {}", set.name, url, why);
        complete = false;
        return;
    }
    urls.insert(urls.end(), sitemap->pages.begin(), sitemap->pages.end());
    if (!may_nest) return;
    if (sitemap->sitemaps.size() > most_nested_sitemaps)
        spdlog::warn("prerender {}: sitemap {}: {} sitemaps, {} are left out", set.name, url,
                     sitemap->sitemaps.size(), sitemap->sitemaps.size() - most_nested_sitemaps);
    sitemap->sitemaps.resize(std::min(sitemap->sitemaps.size(), most_nested_sitemaps));
    for (const std::string& nested : sitemap->sitemaps) {
        if (stopping_ || urls.size() > most) break;
        add_sitemap(settings, set, nested, false, urls, complete);
    }
}

// Returns the sitemap's text. Follows redirects, because servers often redirect a sitemap to another path or scheme.
std::string Prerenderer::fetch_sitemap(const Settings& settings, std::string url) {
    for (int redirects = 0;; redirects++) {
        BackendAnswer answer = fetch(settings, url);
        std::string_view location, coding;
        for (const auto& [name, value] : answer.headers) {
            if (equals_ignore_case(name, "Location")) location = value;
            if (equals_ignore_case(name, "Content-Encoding")) coding = value;
        }
        bool redirected =
            answer.status > 300 && answer.status < 309 && answer.status != 304 && !location.empty();
        if (!redirected && answer.status != 200)
            throw std::runtime_error("status " + std::to_string(answer.status));
        if (!redirected)
            return decoded_sitemap(answer.body, coding,
                                   static_cast<std::size_t>(settings.render.max_body.bytes));
        if (redirects == most_redirects) throw std::runtime_error("more than 3 redirects");
        auto from = parse_page_url(url);
        if (location.starts_with("//")) {
            url = from->scheme + ":" + std::string(location);
        } else if (location.starts_with("/")) {
            url = from->scheme + "://" + from->host + std::string(location);
        } else if (location.find("://") != std::string_view::npos) {
            url = location;
        } else {
            url = from->scheme + "://" + from->host + from->path.substr(0, from->path.rfind('/') + 1) +
                  std::string(location);
        }
    }
}

BackendAnswer Prerenderer::fetch(const Settings& settings, const std::string& url) {
    auto page = parse_page_url(url);
    if (!page) throw std::runtime_error("\"" + url + "\" is not an absolute URL");
    BackendSettings nginx;
    nginx.timeout = settings.nginx.timeout;
    const BackendSettings* backend = backend_for(settings, page->host);
    if (backend == nullptr) {  // ask nginx, as a visitor would
        if (settings.nginx.urls.empty())
            throw std::runtime_error("no [[backend]] renders the host of " + url + ", and [nginx] names no urls");
        nginx.url = settings.nginx.urls.front();
        backend = &nginx;
    }
    Variant variant{.method = "GET",
                    .scheme = page->scheme,
                    .host = page->host,
                    .path = page->path,
                    .query = page->query,
                    .cookies = {},
                    .headers = {}};
    Policy policy;
    policy.max_body = static_cast<std::uint32_t>(settings.render.max_body.bytes);
    const char* why = nullptr;
    auto request = backend_request(variant, policy, *backend, settings.signing, unix_ms() / 1000, &why);
    if (!request) throw std::runtime_error(why);
    auto promise = std::make_shared<std::promise<BackendAnswer>>();
    auto future = promise->get_future();
    client_.call(std::move(*request),
                 [promise](BackendAnswer answer) { promise->set_value(std::move(answer)); });
    BackendAnswer answer = future.get();
    if (!answer.error.empty()) throw std::runtime_error(answer.error);
    return answer;
}

}  // namespace larder::daemon
