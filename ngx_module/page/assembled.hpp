// Assembled pages. If all fragments of an ESI page are in the near cache, fresh, and the same for everybody who
// shares the page's key, the near cache keeps the assembled page too. A hit on it costs as much as a hit on any page,
// and has a length, an ETag, 304, HEAD and ranges.
#pragma once

#include <span>
#include <string_view>

#include "ngx_module/near/zone.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Whether every request that shares the page's key would get this fragment. That is so if the fragment's location
// keeps only cookies and headers that the page's keeps as well, has the same bypass conditions, and no rewrite or
// `if` depends on the request.
bool is_shared_part(const LocConf& page, ngx_http_request_t* fragment, const LocConf& fragment_conf);

// Keeps the page. `ctx`: of the page, served from the near cache. `text`: the page assembled from `parts`. `control`:
// its Cache-Control; empty: the template's.
void keep_assembled_page(const Ctx& ctx, std::string_view text, const std::string& control,
                         std::span<const near_cache::Zone::Part> parts);

}  // namespace larder::ngx
