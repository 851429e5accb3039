// The daemon's status as JSON, as Prometheus metrics, and as an HTML page.
#include <nlohmann/json.hpp>

#include "calls.hpp"
#include "daemon/render/by_nginx.hpp"

namespace larder::daemon {

namespace {

using nlohmann::json;

json queue_status(Queue& queue) {
    try {
        QueueDepths depths = queue.depths();
        return {{"queued", depths.queued},
                {"due", depths.due},
                {"running", depths.running},
                {"waiting", depths.waiting},
                {"given_up", depths.given_up}};
    } catch (const std::exception& error) {
        return {{"error", error.what()}};
    }
}

json store_status(Store& store) {
    try {
        return {{"newest_purge", store.newest_purge()}};
    } catch (const std::exception& error) {
        return {{"error", error.what()}};
    }
}

json backend_status(const ApiParts& parts, const Settings& settings) {
    auto load = parts.gate.load();
    json out = json::object();
    Gate::Load at_nginx = load[nginx_name];
    out[nginx_name] = {{"in_flight", at_nginx.inside},
                       {"waiting", at_nginx.waiting},
                       {"concurrency", settings.nginx.concurrency},
                       {"url", settings.nginx.urls}};
    for (const BackendSettings& backend : settings.backends) {
        Gate::Load now = load[backend.name];
        out[backend.name] = {{"in_flight", now.inside},
                             {"waiting", now.waiting},
                             {"concurrency", backend.concurrency},
                             {"url", backend.url}};
    }
    return out;
}

json status(const ApiParts& parts) {
    auto settings = parts.settings.get();
    json jobs = json::object();
    for (Outcome outcome : all_outcomes) jobs[to_string(outcome)] = parts.metrics.jobs(outcome);
    json stores = json::object();
    for (const auto& [name, store] : parts.stores.all()) stores[name] = store_status(*store);
    json out{{"version", LARDER_VERSION},
             {"uptime_s", (unix_ms() - parts.started_ms) / 1000},
             {"draining", parts.draining()},
             {"queue", queue_status(parts.queue)},
             {"in_hand", parts.in_hand()},
             {"jobs", jobs},
             {"jobs_per_second", parts.metrics.jobs_per_second()},
             {"render_ms",
              {{"p50", parts.metrics.render_percentile(50)},
               {"p90", parts.metrics.render_percentile(90)},
               {"p99", parts.metrics.render_percentile(99)}}},
             {"backends", backend_status(parts, *settings)},
             {"stores", stores},
             {"purges_waiting", parts.outbox.waiting()}};
    if (parts.replicas) out["replicas"] = json::parse(parts.replicas(), nullptr, false);
    return out;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string shown(const json& value) {
    return escaped(value.is_string() ? value.get<std::string>() : value.dump());
}

// An object as an HTML table with a row per member. A member that is an object itself gets a cell per member.
std::string table(const json& object) {
    std::string out = "<table>";
    for (const auto& [name, value] : object.items()) {
        out += "<tr><th>" + escaped(name) + "</th>";
        if (value.is_object()) {
            for (const auto& [inner, cell] : value.items())
                out += "<td><small>" + escaped(inner) + "</small> " + shown(cell) + "</td>";
        } else {
            out += "<td>" + shown(value) + "</td>";
        }
        out += "</tr>";
    }
    return out + "</table>";
}

constexpr char page_head[] =
    R"(<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>larderd</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.4rem}h2{font-size:1rem;margin:1.5rem 0 .3rem}table{border-collapse:collapse}
th,td{text-align:left;font-weight:normal;padding:.15rem 1.2rem .15rem 0;border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}
th{font-weight:600}small{color:#777}</style>)";

}  // namespace

ApiAnswer status_call(const ApiParts& parts) {
    return {200, status(parts).dump(2) + "\n"};
}

ApiAnswer metrics_call(const ApiParts& parts) {
    json now = status(parts);
    for (const auto& [state, depth] : now["queue"].items()) {
        if (depth.is_number())
            parts.metrics.gauge("queue_jobs", "Jobs in the queue by state.", {{"state", state}},
                                depth.get<double>());
    }
    for (const auto& [name, backend] : now["backends"].items()) {
        parts.metrics.gauge("backend_in_flight", "Requests under way.", {{"backend", name}},
                            backend["in_flight"].get<double>());
        parts.metrics.gauge("backend_waiting", "Jobs that wait for a place.", {{"backend", name}},
                            backend["waiting"].get<double>());
    }
    for (const auto& [name, store] : now["stores"].items()) {
        parts.metrics.gauge("store_up", "Whether the store answers.", {{"store", name}},
                            store.contains("error") ? 0 : 1);
    }
    parts.metrics.gauge("queue_up", "Whether the queue answers.", {}, now["queue"].contains("error") ? 0 : 1);
    parts.metrics.gauge("draining", "Whether the daemon is draining.", {},
                        now["draining"].get<bool>() ? 1 : 0);
    parts.metrics.gauge("purges_waiting", "Purges kept for a store that is away.", {},
                        now["purges_waiting"].get<double>());
    if (parts.refused_positions) {
        for (const auto& [database, count] : parts.refused_positions())
            parts.metrics.gauge("positions_refused", "Commit positions that came and that the database can't have.",
                                {{"database", database}}, static_cast<double>(count));
    }
    return {200, parts.metrics.text(), "text/plain; version=0.0.4"};
}

ApiAnswer page_call(const ApiParts& parts) {
    json now = status(parts);
    std::string page = page_head;
    page +=
        "<h1>larderd " + shown(now["version"]) + (now["draining"].get<bool>() ? ", draining" : "") + "</h1>";
    page += "<p>Up " + shown(now["uptime_s"]) + " s, " + shown(now["in_hand"]) + " jobs in hand, " +
            shown(now["jobs_per_second"]) + " jobs a second over the last minute.</p>";
    for (const char* part : {"queue", "jobs", "render_ms", "backends", "stores"}) {
        page += "<h2>" + std::string(part) + "</h2>" + table(now[part]);
    }
    if (now.contains("replicas")) {
        for (const json& database : now["replicas"].value("databases", json::array())) {
            page += "<h2>database " + shown(database.value("name", json())) + "</h2><table>";
            for (const json& node : database.value("nodes", json::array())) {
                page += "<tr>";
                for (const auto& [name, value] : node.items())
                    page += "<td><small>" + escaped(name) + "</small> " + shown(value) + "</td>";
                page += "</tr>";
            }
            page += "</table>";
        }
    }
    return {200, page + "</html>\n", "text/html; charset=utf-8"};
}

}  // namespace larder::daemon
