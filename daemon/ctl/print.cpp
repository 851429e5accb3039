// Formatting only. Missing members print as "-", so that larderctl works with an older larderd.
#include "print.hpp"

#include <iomanip>
#include <sstream>

namespace larder::ctl {

namespace {

using nlohmann::json;

std::string value(const json& object, const char* name) {
    auto found = object.is_object() ? object.find(name) : object.end();
    if (found == object.end() || found->is_null()) return "-";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

void row(std::ostream& out, const std::string& name, const std::string& text) {
    out << std::left << std::setw(12) << name << ' ' << text << '\n';
}

std::string members(const json& object) {
    std::string out;
    if (!object.is_object()) return "-";
    for (const auto& [name, inner] : object.items())
        out += (out.empty() ? "" : "  ") + name + " " + value(object, name.c_str());
    return out.empty() ? "-" : out;
}

std::string seconds(const json& object, const char* name) {
    auto found = object.find(name);
    if (found == object.end() || !found->is_number()) return "-";
    std::ostringstream out;
    out << std::fixed << std::setprecision(1) << found->get<double>() / 1000 << " s";
    return out.str();
}

void entry_text(std::ostream& out, const json& entry) {
    out << "\nentry " << value(entry, "key") << " in " << value(entry, "store");
    if (entry.value("plain", false)) out << " (a visitor without cookies)";
    out << '\n';
    if (!entry.value("stored", false)) return row(out, "  stored", "no");
    if (entry.contains("invalid")) return row(out, "  invalid", value(entry, "invalid"));
    row(out, "  verdict", value(entry, "verdict") + (entry.value("purged_since", false) ? ", purged" : ""));
    row(out, "  status",
        value(entry, "status") + ", " + value(entry, "body_bytes") + " bytes" +
            (entry.value("esi", false) ? ", ESI" : "") +
            (entry.value("audience", "") == "everybody" ? ", for everybody" : ""));
    row(out, "  age",
        seconds(entry, "age_ms") + ", fresh for " + seconds(entry, "fresh_for_ms") + ", dead in " +
            seconds(entry, "dead_in_ms"));
    row(out, "  render", value(entry, "render_ms") + " ms");
    std::string tags;
    for (const json& tag : entry.value("tags", json::array()))
        tags += (tags.empty() ? "" : " ") + tag.get<std::string>();
    row(out, "  tags", tags.empty() ? "-" : tags);
    const json variant = entry.value("variant", json::object());
    row(out, "  url", value(variant, "url"));
    if (variant.contains("cookies")) row(out, "  cookies", members(variant["cookies"]));
    if (variant.contains("headers")) row(out, "  headers", members(variant["headers"]));
    for (const json& header : entry.value("headers", json::array())) {
        out << "    " << header[0].get<std::string>() << ": " << header[1].get<std::string>() << '\n';
    }
}

}  // namespace

std::string status_text(const json& status) {
    std::ostringstream out;
    out << "larderd " << value(status, "version") << ", up " << value(status, "uptime_s") << " s"
        << (status.value("draining", false) ? ", draining" : "") << '\n';
    row(out, "queue", members(status.value("queue", json())));
    row(out, "in hand",
        value(status, "in_hand") + "  (" + value(status, "jobs_per_second") + " jobs/s over a minute)");
    row(out, "jobs", members(status.value("jobs", json())));
    row(out, "render ms", members(status.value("render_ms", json())));
    const json backends = status.value("backends", json::object());
    for (const auto& [name, backend] : backends.items()) row(out, "backend", name + "  " + members(backend));
    const json stores = status.value("stores", json::object());
    for (const auto& [name, store] : stores.items()) row(out, "store", name + "  " + members(store));
    if (status.value("purges_waiting", 0) > 0)
        row(out, "purges", value(status, "purges_waiting") + " wait for a store that is away");
    if (status.contains("replicas")) out << replicas_text(status["replicas"]);
    return out.str();
}

std::string explain_text(const json& explanation) {
    std::ostringstream out;
    row(out, "url", value(explanation, "url"));
    row(out, "key", value(explanation, "key"));
    row(out, "backend", value(explanation, "backend"));
    for (const json& entry : explanation.value("entries", json::array())) entry_text(out, entry);
    return out.str();
}

std::string replicas_text(const json& replicas) {
    std::ostringstream out;
    for (const json& database : replicas.value("databases", json::array())) {
        out << "database " << value(database, "name") << '\n';
        for (const json& node : database.value("nodes", json::array()))
            row(out, "  " + value(node, "alias"), members(node));
    }
    for (const json& alarm : replicas.value("alarms", json::array()))
        out << "ALARM " << alarm.get<std::string>() << '\n';
    return out.str();
}

}  // namespace larder::ctl
