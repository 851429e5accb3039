// The fragments of a page that was just rendered: those that are due are made anew with it, so that the next visitor finds all
// of it fresh.
#pragma once

#include <string>
#include <vector>

#include "cache/entry.hpp"
#include "cache/job.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

// At most so many fragments of a page are looked at, and so many variants of each; the rest waits for its visitors.
inline constexpr std::size_t max_page_fragments = 64;
inline constexpr std::size_t max_fragment_variants = 64;

// A job for each stored fragment that the page includes by a constant URL of its own host, that goes with the page's variant
// (has no cookie or header that the page's has not), is past its freshness or purged, and was stored with a policy.
// `page_job`: what the page was rendered for; its fence and position are the fragments', too. Fragments that are not stored are left to nginx, which knows their locations.
// `page`: parsed before. Throws when the store is away.
std::vector<Job> due_fragments(Store& store, const EntryView& page, const Job& page_job);

}  // namespace larder::daemon
