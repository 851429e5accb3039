// Where the includes of a page may lead. Whoever can put markup into a page could ask for whatever they reach: by default that is
// what its visitor could ask for, too; larder_esi_include names something else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Whether `target` ("/path?query") begins with one of the paths of larder_esi_include, or there are none.
bool may_include(ngx_http_request_t* r, const std::vector<std::string>& paths, std::string_view target);

// Whether the request of a fragment came to a location with access rules (allow, deny, auth_basic, auth_request) that the page's
// request has not passed. nginx applies none to subrequests. Logged if so.
bool has_access_rules_of_its_own(ngx_http_request_t* r);

}  // namespace larder::ngx
