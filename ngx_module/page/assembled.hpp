// Assembled pages: an ESI page whose parts are all in the near cache, fresh, and the same for everybody who shares the page's
// key, is kept there whole. A hit then costs what a hit on any page costs, and has a length, an ETag, 304, HEAD and ranges.
#pragma once

#include <span>
#include <string_view>

#include "ngx_module/near/zone.hpp"
#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Whether every request that shares a page's key gets this fragment, given that one did: the fragment's location keeps nothing
// of a request that the page's doesn't, and which location answers can't depend on the request either.
bool is_shared_part(const LocConf& page, ngx_http_request_t* fragment, const LocConf& fragment_conf);

// `ctx`: of the page, served from the near cache. `text`: the page, assembled from `parts`; `control`: its Cache-Control, if it
// is not to be the template's.
void keep_assembled_page(const Ctx& ctx, std::string_view text, const std::string& control,
                         std::span<const near_cache::Zone::Part> parts);

}  // namespace larder::ngx
