// One thread runs the sets one after the other. Many pages are requested ahead of the one that is awaited.
#include "prerenderer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "assemble.hpp"
#include "cache/response/fields.hpp"
#include "daemon/queue/new_job.hpp"
#include "daemon/render/request.hpp"
#include "file_path.hpp"
#include "file_writer.hpp"
#include "sitemap.hpp"

namespace larder::daemon {

namespace {

constexpr std::chrono::milliseconds look_pause{200};
constexpr std::chrono::milliseconds retry_pause{
    5000};  // after a run that a store or queue that is away has ended
constexpr std::size_t requested_ahead = 32;
constexpr std::size_t most_nested_sitemaps = 100;

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

// Why the entry's answer is not to be a file that nginx serves as text/html; empty: it may be one.
std::string unfit(const EntryView& entry) {
    if (entry.head().status != 200) return "its status is " + std::to_string(entry.head().status);
    if (!header(entry, "content-type").starts_with("text/html")) return "it is not text/html";
    if (!header(entry, "content-encoding").empty()) return "the backend has encoded it";
    return {};
}

// Empty: it is not. `pages` are those before it.
std::string why_left_out(const PrerenderSettings& set, const PageAddress& page,
                         const std::vector<PageAddress>& pages) {
    if (set.directory.empty()) return {};
    const char* why = nullptr;
    if (!file_directories(page.path, page.query, &why)) return why;
    return pages.empty() || page.host == pages.front().host
               ? ""
               : "its files would lie among those of another host";
}

void write_page(const std::string& root, const PageAddress& page, const std::string& html) {
    const char* why = nullptr;
    auto directories =
        file_directories(page.path, page.query, &why);  // why_left_out has seen that it has them
    write_file(root, *directories, "index.html.gz", gzip(html));
    write_file(root, *directories, "index.html", html);
}

}  // namespace

Prerenderer::Prerenderer(const LiveSettings& settings, Queue& queue, const Stores& stores,
                         BackendClient& client, Metrics& metrics)
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
    for (const PrerenderSettings& set : settings->prerenders) {
        if (stopping_ || unix_ms() < next_run_ms_[set.name]) continue;
        next_run_ms_[set.name] = unix_ms() + set.every.count();
        try {
            run(*settings, set);
        } catch (const std::exception& error) {
            spdlog::error("prerender {}: {}", set.name, error.what());
            next_run_ms_[set.name] = unix_ms() + std::min(set.every, retry_pause).count();
        }
    }
}

void Prerenderer::run(const Settings& settings, const PrerenderSettings& set) {
    UnixMs since = unix_ms();
    std::vector<PageAddress> pages = pages_of(settings, set);
    spdlog::debug("prerender {}: {} pages", set.name, pages.size());
    render_pages(settings, set, pages, since);
}

void Prerenderer::render_pages(const Settings& settings, const PrerenderSettings& set,
                               const std::vector<PageAddress>& pages, UnixMs since_ms) {
    const std::string& name = set.store.empty() ? stores_.first_name() : set.store;
    PageSource source(queue_, *stores_.find(name), name, stopping_);
    Policy policy = policy_from(set);
    std::size_t requested = 0;
    for (std::size_t i = 0; i < pages.size() && !stopping_; i++) {
        for (; requested < std::min(pages.size(), i + requested_ahead); requested++)
            source.request(pages[requested], policy, since_ms);
        const BackendSettings* backend = backend_for(settings, pages[i].host);
        // Time for one render and its fragments, and for what waits before it in the queue.
        UnixMs patience = 3 * (backend == nullptr ? 0 : backend->timeout.count()) + 5000;
        bool written = render_page(source, set, pages[i], since_ms, unix_ms() + patience);
        if (!stopping_) metrics_.prerendered(set.name, written);
    }
}

// An old file stays whenever there is no good new page. Returns whether the page is in the store and, if wanted, in its file.
bool Prerenderer::render_page(PageSource& source, const PrerenderSettings& set, const PageAddress& page,
                              UnixMs since_ms, UnixMs deadline_ms) {
    std::string why;
    try {
        auto bytes = source.await(page, since_ms, deadline_ms, why);
        if (bytes && set.directory.empty()) return true;
        if (bytes) why = unfit(EntryView::trusted(*bytes));
        if (bytes && why.empty()) {
            PageAssembler assembler(source, policy_from(set), since_ms, deadline_ms);
            if (auto html = assembler.assemble(EntryView::trusted(*bytes), page, why)) {
                write_page(set.directory, page, *html);
                return true;
            }
        }
    } catch (const std::exception& error) {
        why = error.what();
    }
    if (!stopping_) spdlog::warn("prerender {}: no new page for {}: {}", set.name, url_of(page), why);
    return false;
}

std::vector<PageAddress> Prerenderer::pages_of(const Settings& settings, const PrerenderSettings& set) {
    auto most = static_cast<std::size_t>(set.max_urls);
    std::vector<std::string> urls = set.urls;
    if (!set.sitemap.empty()) {
        std::vector<std::string> more = sitemap_urls(settings, set.sitemap, most, true);
        urls.insert(urls.end(), more.begin(), more.end());
    }
    if (urls.size() > most) {
        spdlog::warn("prerender {}: {} pages, {} are left out", set.name, urls.size(), urls.size() - most);
        urls.resize(most);
    }
    std::vector<PageAddress> pages;
    for (const std::string& url : urls) {
        auto page = parse_page_url(url);
        std::string why = page ? why_left_out(set, *page, pages) : "not an absolute URL";
        if (why.empty()) {
            pages.push_back(std::move(*page));
        } else {
            spdlog::warn("prerender {}: {} is left out: {}", set.name, url, why);
        }
    }
    return pages;
}

std::vector<std::string> Prerenderer::sitemap_urls(const Settings& settings, const std::string& url,
                                                   std::size_t most, bool may_nest) {
    std::string why;
    auto sitemap = parse_sitemap(fetch_sitemap(settings, url), most + 1, why);
    if (!sitemap) throw std::runtime_error("sitemap " + url + ": " + why);
    std::vector<std::string> urls = std::move(sitemap->pages);
    if (!may_nest) return urls;
    sitemap->sitemaps.resize(std::min(sitemap->sitemaps.size(), most_nested_sitemaps));
    for (const std::string& nested : sitemap->sitemaps) {
        if (stopping_ || urls.size() > most) break;
        std::vector<std::string> more = sitemap_urls(settings, nested, most, false);
        urls.insert(urls.end(), more.begin(), more.end());
    }
    return urls;
}

std::string Prerenderer::fetch_sitemap(const Settings& settings, const std::string& url) {
    auto page = parse_page_url(url);
    const BackendSettings* backend = page ? backend_for(settings, page->host) : nullptr;
    if (backend == nullptr) throw std::runtime_error("sitemap " + url + ": no [[backend]] renders its host");
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
    if (!request) throw std::runtime_error("sitemap " + url + ": " + why);
    auto promise = std::make_shared<std::promise<BackendAnswer>>();
    auto future = promise->get_future();
    client_.call(std::move(*request),
                 [promise](BackendAnswer answer) { promise->set_value(std::move(answer)); });
    BackendAnswer answer = future.get();
    if (!answer.error.empty()) throw std::runtime_error("sitemap " + url + ": " + answer.error);
    if (answer.status != 200)
        throw std::runtime_error("sitemap " + url + ": status " + std::to_string(answer.status));
    return answer.body;
}

}  // namespace larder::daemon
