// Fragments that the browser fetches, because they were not at hand when the page went out (late="client").
#pragma once

#include <string>
#include <string_view>

namespace larder::ngx {

// Markup that stands for the fragment at `target` (a path of this site, as on the wire): a link, which a script beside it
// replaces by the fragment.
std::string late_placeholder(std::string_view target);

}  // namespace larder::ngx
