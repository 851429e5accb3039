// Merges a 304 into an entry.
#include "cache/response/revalidate.hpp"

#include <algorithm>

#include "cache/response/fields.hpp"

namespace larder {

namespace {

std::string_view opaque_tag(std::string_view etag) {
    return etag.substr(0, 2) == "W/" ? etag.substr(2) : etag;
}

// Fields that describe the stored body, which may have been decoded. Ignore what a 304 says of them.
bool describes_body(std::string_view name) {
    return equals_ignore_case(name, "ETag") || equals_ignore_case(name, "Content-Length") ||
           equals_ignore_case(name, "Content-Encoding") || equals_ignore_case(name, "Content-Type") ||
           equals_ignore_case(name, "Content-Range");
}

bool has(const std::vector<NamedValue>& fields, std::string_view name) {
    return std::any_of(fields.begin(), fields.end(),
                       [name](const NamedValue& field) { return equals_ignore_case(field.name, name); });
}

}  // namespace

bool has_strong_date(const EntryView& entry) {
    auto modified = parse_http_date(entry.header("Last-Modified"));
    if (!modified) return false;
    auto date = parse_http_date(entry.header("Date"));
    return is_strong_date(*modified, date ? *date * 1000 - entry.head().render_ms : entry.head().created_ms);
}

Condition condition_of(const EntryView& entry, bool purged) {
    if (entry.head().status != 200) return {};
    Condition condition{entry.header("ETag"), entry.header("Last-Modified")};
    if (purged && condition.if_none_match.substr(0, 2) == "W/") condition.if_none_match = {};
    if (!has_strong_date(entry)) condition.if_modified_since = {};
    return condition;
}

std::optional<EntryParts> revalidated(const Policy& policy, const EntryView& entry,
                                      const Answer& not_modified, Storability& decision) {
    Answer answer = not_modified;
    answer.status = entry.head().status;
    auto& fields = answer.headers;
    for (const NamedValue& field : fields) {
        bool is_etag = equals_ignore_case(field.name, "ETag");
        if (is_etag && opaque_tag(trim_ows(field.value)) != opaque_tag(entry.header("ETag")))
            return std::nullopt;
    }
    std::erase_if(fields, [](const NamedValue& field) { return describes_body(field.name); });
    const std::vector<NamedValue> sent = fields;
    auto keep = [&](std::string_view name, std::string_view value) {
        // A 304 without Date counts as made now.
        if (!has(sent, name) && !equals_ignore_case(name, "Date")) fields.push_back({name, value});
    };
    entry.each_header(keep);
    entry.each_steering(keep);
    decision = storability(policy, answer);
    if (!decision.store) return std::nullopt;
    if (decision.tags.empty()) entry.each_tag([&](std::string_view tag) { decision.tags.push_back(tag); });
    EntryParts parts;
    parts.status = entry.head().status;
    parts.life = decision.life;
    parts.variant = entry.variant();
    parts.tags = decision.tags;
    parts.headers = decision.headers;
    parts.steering = decision.steering;
    parts.vary = decision.vary;
    parts.audience = decision.audience;
    parts.plan = entry.plan();
    parts.body = entry.body();
    return parts;
}

}  // namespace larder
