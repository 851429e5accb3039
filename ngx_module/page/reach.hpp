// Limits where includes may lead. Whoever can inject markup into a page can have it include whatever includes may
// reach. By default that is what the page's visitor may request as well; larder_esi_include names other paths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Whether `target` ("/path?query") begins with a path of larder_esi_include, or no path is configured.
bool may_include(ngx_http_request_t* r, const std::vector<std::string>& paths, std::string_view target);

// Whether r, the request of a fragment, is in a location with access rules (allow, deny, auth_basic, auth_request)
// other than those of its page. nginx applies none to subrequests. Logs a refusal if so.
bool has_access_rules_of_its_own(ngx_http_request_t* r);

}  // namespace larder::ngx
