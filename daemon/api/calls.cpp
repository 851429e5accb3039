// The calls that change something, and the routes of all calls.
#include "calls.hpp"

#include <nlohmann/json.hpp>

#include "body.hpp"
#include "cache/request/key.hpp"
#include "daemon/queue/new_job.hpp"
#include "cache/position.hpp"
#include "daemon/stores/entry_start.hpp"

namespace larder::daemon {

namespace {

using nlohmann::json;

constexpr std::size_t max_purge_hashes = 10'000;

PurgeMode mode_from(const std::string& text) {
    if (text == "soft") return PurgeMode::soft;
    if (text == "hard") return PurgeMode::hard;
    throw BadBody("mode: \"" + text + "\"; legal: \"soft\", \"hard\"");
}

ApiAnswer answer(int status, const json& body) {
    return {status, body.dump() + "\n"};
}

bool is_taken(Enqueued result) {
    return result != Enqueued::nodaemon && result != Enqueued::full && result != Enqueued::refused;
}

// Enqueues a job for each variant of the page that is stored with a policy. Returns how many were queued, or are queued
// already.
std::size_t refresh(const ApiParts& parts, const PageAddress& page) {
    std::size_t queued = 0;
    for (const auto& [name, store] : parts.stores.all()) {
        store->each_key(url_tag_hash(page.host, page.path), [&, &store_name = name,
                                                             &in = *store](const std::string& key) {
            auto entry = read_entry_start(in, key);
            auto policy = entry ? in.policy(key) : std::nullopt;
            if (policy &&
                is_taken(enqueue_new(parts.queue, JobReason::manual, store_name, policy, *policy, entry->variant)))
                queued++;
        });
    }
    return queued;
}

bool warm(const ApiParts& parts, const Settings& settings, const PageAddress& page) {
    std::string variant = plain_variant(page);
    if (variant.empty()) throw BadBody("urls: a URL is too long; legal: at most 16 KiB");
    const std::string& name = settings.warm.store.empty() ? parts.stores.first_name() : settings.warm.store;
    auto known = parts.stores.find(name)->policy(key_of(variant).text());
    return is_taken(enqueue_new(parts.queue, JobReason::warm, name, known, policy_from(settings.warm), variant));
}

ApiHandler checked(ApiHandler handler) {
    return [handler = std::move(handler)](const ApiRequest& request) -> ApiAnswer {
        try {
            return handler(request);
        } catch (const BadBody& error) {
            return api_error(400, error.what());
        }
    };
}

}  // namespace

ApiAnswer purge_call(const ApiParts& parts, const ApiRequest& request) {
    json body = read_body(request.body, {"tags", "urls", "mode", "position"});
    PurgeOrder order;
    for (const std::string& tag : read_texts(body, "tags")) {
        if (tag.ends_with('*')) throw BadBody("tags: \"" + tag + "\"; there are no wildcards: name each tag");
        order.hashes.push_back(tag_hash(tag));
    }
    for (const PageAddress& page : read_pages(body)) {
        if (page.path.ends_with('*'))
            throw BadBody("urls: \"" + page.path +
                          "\"; there are no wildcards: give the pages a tag, and purge that");
        order.hashes.push_back(url_tag_hash(page.host, page.path));
    }
    order.mode = mode_from(read_text(body, "mode", "soft"));
    order.position = read_text(body, "position", "");
    if (!order.position.empty() && !replicas::parse_position(order.position))
        throw BadBody("position: \"" + order.position +
                      "\"; legal: NAME/SYSTEM/TIMELINE/LSN, or NAME/TIMELINE/LSN, or empty");
    if (order.hashes.empty()) throw BadBody("nothing to purge; legal: tags, or urls, or both");
    if (order.hashes.size() > max_purge_hashes)
        throw BadBody("too many tags and urls; legal: at most " + std::to_string(max_purge_hashes));
    PurgeReceipt receipt = parts.outbox.purge(order);
    if (receipt.refused) return api_error(503, "the purge is not recorded: " + std::string(receipt.refused));
    return answer(200, {{"sequence", receipt.sequence},
                        {"purged", order.hashes.size()},
                        {"stores_waiting", receipt.waiting}});
}

ApiAnswer refresh_call(const ApiParts& parts, const ApiRequest& request) {
    std::vector<PageAddress> pages = read_pages(read_body(request.body, {"urls"}));
    std::size_t queued = 0;
    for (const PageAddress& page : pages) queued += refresh(parts, page);
    return answer(200, {{"queued", queued}});
}

ApiAnswer warm_call(const ApiParts& parts, const ApiRequest& request) {
    auto settings = parts.settings.get();
    std::vector<PageAddress> pages = read_pages(read_body(request.body, {"urls"}));
    std::size_t queued = 0;
    for (const PageAddress& page : pages) queued += warm(parts, *settings, page) ? 1 : 0;
    return answer(200, {{"queued", queued}});
}

void add_calls(ApiServer& server, const ApiParts& parts) {
    auto with_request = [&parts](auto call) {
        return checked([&parts, call](const ApiRequest& request) { return call(parts, request); });
    };
    server.post("/v1/purge", with_request(purge_call));
    server.post("/v1/refresh", with_request(refresh_call));
    server.post("/v1/warm", with_request(warm_call));
    server.post("/v1/drain", [&parts](const ApiRequest&) {
        parts.drain();
        return answer(202, {{"draining", true}});
    });
    server.get("/v1/explain", with_request(explain_call));
    server.get("/v1/status", [&parts](const ApiRequest&) { return status_call(parts); });
    server.get("/v1/replicas", [&parts](const ApiRequest&) {
        return parts.replicas ? ApiAnswer{200, parts.replicas()}
                              : api_error(404, "no [[database]] is configured");
    });
    server.get("/metrics", [&parts](const ApiRequest&) { return metrics_call(parts); });
    server.get("/", [&parts](const ApiRequest&) { return page_call(parts); });
    server.check("/healthz", [&parts](const ApiRequest&) {
        return parts.draining() ? answer(503, {{"draining", true}}) : answer(200, {{"draining", false}});
    });
}

}  // namespace larder::daemon
