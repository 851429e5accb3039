// The status and purge endpoints.
#include "ngx_module/endpoints.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cache/position.hpp"
#include "ngx_module/near/shared_zone.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/request/invalidate.hpp"
#include "ngx_module/request/respond.hpp"
#include "ngx_module/stores/topics/kept.hpp"
#include "ngx_module/stores/topics/purges.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

// ---- status

void gauge(std::string& out, const char* name, const char* help, std::uint64_t value) {
    out.append("# HELP ")
        .append(name)
        .append(" ")
        .append(help)
        .append("\n# TYPE ")
        .append(name)
        .append(" gauge\n");
    out.append(name).append(" ").append(std::to_string(value)).append("\n");
}

void histograms(std::string& out, const near_cache::Stats& stats) {
    static constexpr const char* names[] = {"hit", "stale", "backend"};
    out.append("# HELP larder_request_duration_seconds Time from a request's first byte to its log line.\n");
    out.append("# TYPE larder_request_duration_seconds histogram\n");
    for (unsigned which = 0; which < static_cast<unsigned>(near_cache::LatencyClass::count); which++) {
        std::string label = std::string("{class=\"") + names[which] + "\"";
        std::uint64_t total = 0;
        for (unsigned i = 0; i < near_cache::latency_buckets; i++) {
            total += stats.latency[which][i].load(std::memory_order_relaxed);
            bool last = i + 1 == near_cache::latency_buckets;
            std::string bound =
                last ? "+Inf" : std::to_string(static_cast<double>(std::uint64_t{64} << i) / 1e6);
            out.append("larder_request_duration_seconds_bucket")
                .append(label)
                .append(",le=\"")
                .append(bound)
                .append("\"} ");
            out.append(std::to_string(total)).append("\n");
        }
        double sum_s = static_cast<double>(stats.latency_sum_us[which].load(std::memory_order_relaxed)) / 1e6;
        out.append("larder_request_duration_seconds_sum")
            .append(label)
            .append("} ")
            .append(std::to_string(sum_s))
            .append("\n");
        out.append("larder_request_duration_seconds_count")
            .append(label)
            .append("} ")
            .append(std::to_string(total))
            .append("\n");
    }
}

ngx_int_t status(ngx_http_request_t* r) {
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return NGX_HTTP_NOT_ALLOWED;
    if (ngx_int_t rc = ngx_http_discard_request_body(r); rc != NGX_OK) return rc;
    if (!has_zone()) return respond(r, NGX_HTTP_OK, "text/plain", "# no location caches\n");
    const near_cache::Stats& stats = zone().stats();
    near_cache::Usage usage = zone().usage();
    std::string out =
        "# HELP larder_events_total What happened since the near cache was made.\n# TYPE larder_events_total "
        "counter\n";
    for (unsigned i = 0; i < static_cast<unsigned>(near_cache::Counter::count); i++) {
        out.append("larder_events_total{event=\"")
            .append(near_cache::counter_name(static_cast<near_cache::Counter>(i)))
            .append("\"} ");
        out.append(std::to_string(stats.counters[i].load(std::memory_order_relaxed))).append("\n");
    }
    gauge(out, "larder_near_bytes", "Size of the near cache.", usage.total_bytes);
    gauge(out, "larder_near_free_bytes", "Free memory in the near cache.", usage.free_bytes);
    gauge(out, "larder_near_entries", "Entries in the near cache.", usage.entries);
    gauge(out, "larder_near_keys", "Keys that the near cache knows something about.", usage.nodes);
    gauge(out, "larder_near_holds", "Entries being sent.", usage.holds);
    gauge(out, "larder_turn_work_max", "Most work of our own in one turn of a worker's event loop, in units of up to 100 ns.",
          stats.most_turn_work.load(std::memory_order_relaxed));
    histograms(out, stats);
    return respond(r, NGX_HTTP_OK, "text/plain; version=0.0.4", out);
}

// ---- purge

std::string unescape(std::string_view text) {
    std::string out(text);
    std::replace(out.begin(), out.end(), '+', ' ');
    auto* to = reinterpret_cast<u_char*>(out.data());
    u_char* from = to;
    u_char* begin = to;
    ngx_unescape_uri(&to, &from, out.size(), 0);
    out.resize(static_cast<std::size_t>(to - begin));
    return out;
}

// Reads the parameters. Returns what is wrong with them; empty: nothing.
std::string parse_purge(ngx_http_request_t* r, PurgeRequest& purge) {
    if (view(r->method_name) == "PURGE") {
        purge.hashes.push_back(target_hash(r));
        return {};
    }
    std::string_view args = view(r->args);
    for (std::size_t at = 0; at < args.size();) {
        auto end = std::min(args.find('&', at), args.size());
        std::string_view parameter = args.substr(at, end - at);
        at = end + 1;
        auto equals = std::min(parameter.find('='), parameter.size());
        std::string_view name = parameter.substr(0, equals);
        std::string value =
            equals < parameter.size() ? unescape(parameter.substr(equals + 1)) : std::string();
        if ((name == "tag" || name == "url") && value.ends_with('*')) {
            return "\"" + value + "\": there are no wildcards; give the pages a tag, and purge that";
        }
        if (name == "tag" && !value.empty()) {
            purge.hashes.push_back(tag_hash(value));
        } else if (name == "url") {
            auto hash = url_hash(r, value);
            if (!hash) return "invalid url \"" + value + "\": http://host/path or /path";
            purge.hashes.push_back(*hash);
        } else if (name == "mode" && (value == "soft" || value == "hard")) {
            purge.mode = value == "hard" ? PurgeMode::hard : PurgeMode::soft;
        } else if (name == "position" && (value.empty() || replicas::parse_position(value))) {
            purge.position = value;
        } else {
            return "invalid parameter \"" + std::string(parameter) +
                   "\": tag=NAME, url=URL, mode=soft, mode=hard or position=NAME/SYSTEM/TIMELINE/LSN";
        }
    }
    if (purge.hashes.empty()) return "nothing to purge: tag=NAME or url=URL";
    if (purge.hashes.size() > 1000) return "too many names: at most 1000 at once";
    return {};
}

// Collects the replies of several stores. In the request's pool.
struct PurgeResult {
    ngx_http_request_t* request;
    PurgeRequest purge;
    std::size_t outstanding = 0;
    std::uint64_t sequence = 0;
    std::string failed;
    std::string unkept;  // stores that recorded it, but may lose it
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);

    ~PurgeResult() { *alive = false; }
};

void answer_purge(PurgeResult& result) {
    ngx_http_request_t* r = result.request;
    ngx_connection_t* c = r->connection;
    std::string text = "{\"sequence\":" + std::to_string(result.sequence) +
                       ",\"purged\":" + std::to_string(result.purge.hashes.size());
    std::string error;
    if (!result.failed.empty()) error = "stores down: " + result.failed;
    if (!result.unkept.empty()) error += (error.empty() ? "" : "; ") + ("larderd has not kept it: " + result.unkept);
    if (!error.empty()) text += ",\"error\":\"" + error + "\"";
    ngx_log_error(NGX_LOG_NOTICE, c->log, 0, "larder: purged %uz name(s), %s, sequence %uL",
                  result.purge.hashes.size(), result.purge.mode == PurgeMode::hard ? "hard" : "soft",
                  result.sequence);
    ngx_http_finalize_request(
        r, respond(r, error.empty() ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE, "application/json",
                   text + "}\n"));
    ngx_http_run_posted_requests(c);
}

// Purges in the zone. `sequence`: assigned by the store; nullopt: there is no store or it failed, so one is drawn
// here.
void purge_near(unsigned domain, PurgeResult& result, std::optional<std::uint64_t> sequence) {
    for (std::uint64_t hash : result.purge.hashes) {
        if (sequence) zone().settle(domain, hash, result.purge.mode, 0, *sequence, now_ms());
        else result.sequence = std::max(result.sequence, zone().purge(domain, hash, result.purge.mode, 0, now_ms()));
    }
    result.sequence = std::max(result.sequence, sequence.value_or(0));
}

void end_of_store(PurgeResult& result) {
    if (--result.outstanding == 0) answer_purge(result);
}

void start_purge(PurgeResult& result) {
    MainConf* main = main_conf(result.request);
    purge_near(0, result, std::nullopt);
    count(near_cache::Counter::purges);
    result.outstanding = main->stores.size() + 1;
    for (const StoreConf& store : main->stores) {
        purge_store(store, result.purge,
                    [&result, &store, alive = result.alive](std::optional<std::uint64_t> sequence) {
                        if (!*alive) return;
                        if (!sequence) result.failed += (result.failed.empty() ? "" : ", ") + store.name;
                        purge_near(store.domain, result, sequence);
                        if (!sequence) return end_of_store(result);
                        when_kept(store, *sequence, [&result, &store, alive](bool kept) {
                            if (!*alive) return;
                            if (!kept) result.unkept += (result.unkept.empty() ? "" : ", ") + store.name;
                            end_of_store(result);
                        });
                    });
    }
    end_of_store(result);
}

bool authorised(ngx_http_request_t* r, const LocConf& conf) {
    if (conf.purge_token.len == 0) return true;
    if (r->headers_in.authorization == nullptr) return false;
    std::string expected = "Bearer " + std::string(view(conf.purge_token));
    std::string_view given = view(r->headers_in.authorization->value);
    return given.size() == expected.size() && CRYPTO_memcmp(given.data(), expected.data(), given.size()) == 0;
}

ngx_int_t purge(ngx_http_request_t* r) {
    if (r->method != NGX_HTTP_POST && view(r->method_name) != "PURGE") return NGX_HTTP_NOT_ALLOWED;
    if (!authorised(r, *loc_conf(r))) return NGX_HTTP_UNAUTHORIZED;
    if (ngx_int_t rc = ngx_http_discard_request_body(r); rc != NGX_OK) return rc;
    if (!has_zone()) return respond(r, NGX_HTTP_OK, "application/json", "{\"sequence\":0,\"purged\":0}\n");
    auto* result = make<PurgeResult>(r->pool);
    result->request = r;
    std::string why = parse_purge(r, result->purge);
    if (!why.empty()) return respond(r, NGX_HTTP_BAD_REQUEST, "text/plain", "larder: " + why + "\n");
    r->main->count++;
    start_purge(*result);
    return NGX_DONE;
}

}  // namespace

ngx_int_t status_handler(ngx_http_request_t* r) {
    return guarded(r->connection->log, "status", static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR),
                   [r] { return status(r); });
}

ngx_int_t purge_handler(ngx_http_request_t* r) {
    return guarded(r->connection->log, "purge", static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR),
                   [r] { return purge(r); });
}

}  // namespace larder::ngx
