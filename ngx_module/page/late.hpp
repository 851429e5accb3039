// Fragments that the browser fetches, because they were not in the cache when the page was sent (late="client").
#pragma once

#include <string>
#include <string_view>

namespace larder::ngx {

// Markup in place of the fragment at `target` (a path of this site, percent-encoded): a link, and a script that
// replaces it by the fragment.
std::string late_placeholder(std::string_view target);

}  // namespace larder::ngx
