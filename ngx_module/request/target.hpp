// What the client asked for: the site.
#pragma once

#include <string>
#include <string_view>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// The authority of the request, normalised (cache/request/url.hpp); "_" where there is none. It may be in `storage`.
std::string_view request_authority(ngx_http_request_t* r, std::string& storage);

}  // namespace larder::ngx
