// GET /v1/explain: what each store holds for a URL, and the verdict on it now.
#include <nlohmann/json.hpp>
#include <set>

#include "body.hpp"
#include "cache/entry.hpp"
#include "cache/request/key.hpp"
#include "calls.hpp"
#include "daemon/api/query.hpp"
#include "daemon/queue/new_job.hpp"
#include "daemon/render/by_nginx.hpp"
#include "daemon/render/request.hpp"
#include "daemon/stores/stored_entry.hpp"

namespace larder::daemon {

namespace {

using nlohmann::json;

constexpr std::size_t most_variants = 100;

const char* to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::fresh:
            return "fresh";
        case Verdict::stale_while:
            return "stale, servable while a newer one is made";
        case Verdict::stale_error:
            return "stale, servable when the backend fails";
        case Verdict::validate:
            return "stale, good to ask whether it has changed";
        case Verdict::dead:
            return "dead";
    }
    return "unknown";
}

// JSON must be UTF-8, while backends may send any bytes. Bytes that aren't ASCII become '?'.
std::string printable(std::string_view bytes) {
    std::string out;
    for (unsigned char c : bytes) out.push_back(c < 0x80 ? static_cast<char>(c) : '?');
    return out;
}

json explain_variant(std::string_view encoded) {
    const char* why = nullptr;
    auto variant = Variant::parse(encoded, &why);
    if (!variant) return {{"invalid", why}};
    json out{{"method", printable(variant->method)}, {"url", printable(variant->url())}};
    for (const KeptCookie& cookie : variant->cookies)
        out["cookies"][printable(cookie.name)] = printable(cookie.value);
    for (const NamedValue& header : variant->headers)
        out["headers"][printable(header.name)] = printable(header.value);
    return out;
}

json explain_entry(Store& store, const std::string& key) {
    auto bytes = store.get(key);
    if (!bytes) return {{"stored", false}};
    const char* why = nullptr;
    auto entry = EntryView::parse(*bytes, &why);
    if (!entry) return {{"stored", true}, {"invalid", why}};
    const EntryHead& head = entry->head();
    PurgeSeen purge = store.purges_since(head.fence, purge_hashes(*entry));
    UnixMs now = unix_ms();
    json out{{"stored", true},
             {"verdict", to_string(judge(head.life, purge.mark(), now))},
             {"status", head.status},
             {"age_ms", now - head.life.base_ms},
             {"fresh_for_ms", head.life.base_ms + head.life.fresh_ms - now},
             {"dead_in_ms", head.life.dead_at_ms() - now},
             {"render_ms", head.render_ms},
             {"fence", head.fence},
             {"body_bytes", head.body_size},
             {"esi", !entry->plan().empty()},
             {"audience", entry->is_everybodys() ? "everybody" : "without session"},
             {"purged_since", purge.mode != PurgeMode::none},
             {"regenerated_by_purge", store.policy(key).has_value()},
             {"tags", json::array()},
             {"headers", json::array()},
             {"variant", explain_variant(entry->variant())}};
    entry->each_tag([&out](std::string_view tag) { out["tags"].push_back(printable(tag)); });
    entry->each_header([&out](std::string_view name, std::string_view value) {
        out["headers"].push_back({printable(name), printable(value)});
    });
    return out;
}

}  // namespace

ApiAnswer explain_call(const ApiParts& parts, const ApiRequest& request) {
    auto url = query_parameter(request.query, "url");
    auto page = url ? parse_page_url(*url) : std::nullopt;
    if (!page) throw BadBody("url: legal: ?url=http://HOST/PATH, percent-encoded");
    std::string plain = plain_variant(*page);
    if (plain.empty()) throw BadBody("url: too long; legal: at most 16 KiB");
    std::string plain_key = key_of(plain).text();
    json entries = json::array();
    for (const auto& [name, store] : parts.stores.all()) {
        std::set<std::string> keys{plain_key};
        store->each_key(url_tag_hash(page->host, page->path), [&keys](const std::string& key) {
            if (keys.size() < most_variants) keys.insert(key);
        });
        for (const std::string& key : keys) {
            json entry = explain_entry(*store, key);
            entry["store"] = name;
            entry["key"] = key;
            entry["plain"] = key == plain_key;
            entries.push_back(std::move(entry));
        }
    }
    const BackendSettings* backend = backend_for(*parts.settings.get(), page->host);
    json body{{"url", printable(*url)}, {"key", plain_key}, {"variant", explain_variant(plain)}, {"entries", entries}};
    body["backend"] = backend == nullptr ? nginx_name : backend->name;
    return {200, body.dump(2) + "\n"};
}

}  // namespace larder::daemon
