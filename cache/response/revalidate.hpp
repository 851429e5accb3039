// Validation of stored answers (RFC 9111 section 4.3): what to ask the backend, and what its 304 makes of the entry.
#pragma once

#include <optional>
#include <string_view>

#include "cache/entry.hpp"
#include "cache/response/storable.hpp"

namespace larder {

// Whether Last-Modified, if the entry has one, is a strong validator (RFC 9110 section 8.8.2.2): its render began in a later
// second. What was rendered within the second of a change may have been changed again in the rest of it.
bool has_strong_date(const EntryView& entry);

// Values for If-None-Match and If-Modified-Since; both empty when the entry can't be validated. Views into the entry.
struct Condition {
    std::string_view if_none_match, if_modified_since;

    bool empty() const { return if_none_match.empty() && if_modified_since.empty(); }
};
// `purged`: somebody says that the page has changed. Then no weak tag counts: it is the same for what counts as the same.
Condition condition_of(const EntryView& entry, bool purged);

// The entry as a 304 updates it: the fields that the 304 has replace those of their names, other than what describes the
// body (section 3.2), and the whole is judged anew. Body, plan and, unless the 304 has some, tags stay. Nothing when the 304
// is about another answer (its ETag differs), or when what it makes of ours may not be stored.
// Views point into `entry`, `not_modified` and `decision`; created_ms, render_ms and fence are the caller's to set.
std::optional<EntryParts> revalidated(const Policy& policy, const EntryView& entry,
                                      const Answer& not_modified, Storability& decision);

}  // namespace larder
