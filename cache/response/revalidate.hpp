// Validation of stored answers (RFC 9111 section 4.3): the conditions of the request, and the entry after a 304.
#pragma once

#include <optional>
#include <string_view>

#include "cache/entry.hpp"
#include "cache/response/storable.hpp"

namespace larder {

// Whether the entry's Last-Modified is a strong validator (RFC 9110 section 8.8.2.2): the render began in a later
// second. A page rendered in the same second may have changed again in the rest of it. False without Last-Modified.
bool has_strong_date(const EntryView& entry);

// Values of If-None-Match and If-Modified-Since, as views into the entry. Both empty: the entry can't be validated.
struct Condition {
    std::string_view if_none_match, if_modified_since;

    bool empty() const { return if_none_match.empty() && if_modified_since.empty(); }
};
// `purged`: the page is known to have changed. Then a weak tag is not used, as it may be unchanged nonetheless.
Condition condition_of(const EntryView& entry, bool purged);

// The entry as updated by a 304. Fields of the 304 replace those of the same name, except those that describe the
// body (RFC 9111 section 3.2), and the result is judged again. Body and plan stay, and the tags unless the 304 has
// some. nullopt if the ETag of the 304 differs, or if the result may not be stored. Views refer to `entry`,
// `not_modified` and `decision`. The caller sets created_ms, render_ms and fence.
std::optional<EntryParts> revalidated(const Policy& policy, const EntryView& entry,
                                      const Answer& not_modified, Storability& decision);

}  // namespace larder
