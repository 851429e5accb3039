// Regenerates the stale fragments of a page that was just rendered, so that the next visitor finds the whole page fresh.
#pragma once

#include <string>
#include <vector>

#include "cache/entry.hpp"
#include "cache/job.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

// Limits of due_fragments: fragments of a page, and variants of each. Others are regenerated when a visitor finds them stale.
inline constexpr std::size_t max_page_fragments = 64;
inline constexpr std::size_t max_fragment_variants = 64;

// Returns a job for each stored fragment that
// - the page includes by a constant URL of its own host,
// - matches the page's variant: it has no cookie or header that the page's variant lacks,
// - is stale or purged, and
// - was stored with a policy.
// Fragments that are not stored are left to nginx, because only nginx knows the policy of their location.
//
// `page`: the entry. `page_job`: the job that it was rendered for; the fragments' jobs get its fence and position. Throws
// std::runtime_error when the store can't be reached.
std::vector<Job> due_fragments(Store& store, const EntryView& page, const Job& page_job);

}  // namespace larder::daemon
