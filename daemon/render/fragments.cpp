// Reads the includes from the page's plan, and finds the stored variants of each in the store's index by URL.
#include "fragments.hpp"

#include <algorithm>

#include "cache/request/key.hpp"
#include "cache/request/url.hpp"
#include "cache/request/variant.hpp"
#include "daemon/clock.hpp"
#include "daemon/settings/address.hpp"
#include "daemon/stores/entry_start.hpp"
#include "daemon/stores/stored_entry.hpp"
#include "edge_includes/include_url.hpp"
#include "edge_includes/plan/plan.hpp"

namespace larder::daemon {

namespace {

// The targets ("/path?query") of the includes whose URL is constant, without duplicates.
std::vector<std::string> included_targets(const EntryView& page, const Variant& variant) {
    std::vector<std::string> targets;
    auto plan = esi::PlanView::parse(page.plan(), page.body().size());
    std::uint32_t count = plan ? plan->include_count() : 0;
    for (std::uint32_t i = 0; i < count && targets.size() < max_page_fragments; i++) {
        esi::UrlSource src = plan->include(i).src;
        if (!src.constant) continue;
        auto url = esi::resolve_include_url(src.bytes, {variant.scheme, variant.host, variant.path});
        if (url.ok() && std::find(targets.begin(), targets.end(), url.target) == targets.end())
            targets.push_back(std::move(url.target));
    }
    return targets;
}

template <typename Pair>
bool all_in(const std::vector<Pair>& part, const std::vector<Pair>& whole) {
    return std::all_of(part.begin(), part.end(), [&whole](const Pair& pair) {
        return std::find(whole.begin(), whole.end(), pair) != whole.end();
    });
}

bool goes_with(const Variant& fragment, const Variant& page, std::string_view target) {
    return fragment.scheme == page.scheme && fragment.host == page.host && fragment.site == page.site &&
           fragment.target() == target && !fragment.needs_visitor() && all_in(fragment.cookies, page.cookies) &&
           all_in(fragment.headers, page.headers);
}

std::vector<std::string> keys_of_url(Store& store, std::uint64_t url) {
    std::vector<std::string> keys;
    store.each_key(url, [&keys](const std::string& key) {
        if (keys.size() < max_fragment_variants && std::find(keys.begin(), keys.end(), key) == keys.end())
            keys.push_back(key);
    });
    return keys;
}

bool is_due(Store& store, const std::string& key) {
    auto entry = read_stored_entry(store, key);
    return entry && EntryView::trusted(entry->bytes).kind() == EntryKind::answer &&
           entry->verdict != Verdict::fresh;
}

}  // namespace

std::vector<Job> due_fragments(Store& store, const EntryView& page, const Job& page_job) {
    std::vector<Job> jobs;
    if (page.plan().empty()) return jobs;
    const char* why = nullptr;
    auto variant = Variant::parse(page_job.variant, &why);
    if (!variant) return jobs;
    for (const std::string& target : included_targets(page, *variant)) {
        std::string_view path = std::string_view(target).substr(0, target.find('?'));
        for (const std::string& key : keys_of_url(store, url_tag_hash(variant->host, path))) {
            auto start = read_entry_start(store, key);
            auto fragment = start ? Variant::parse(start->variant, &why) : std::nullopt;
            if (key == key_of(page_job.variant).text() || !fragment ||
                !goes_with(*fragment, *variant, target) || !is_due(store, key))
                continue;
            auto policy = store.policy(key);
            if (!policy) continue;
            Job job = page_job;
            job.reason = JobReason::stale;
            job.enqueued_ms = unix_ms();
            job.policy = std::move(*policy);
            job.variant = start->variant;
            jobs.push_back(std::move(job));
        }
    }
    return jobs;
}

}  // namespace larder::daemon
