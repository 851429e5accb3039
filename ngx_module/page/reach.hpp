// Where the includes of a page may lead. Whoever can put markup into a page could ask for whatever they reach: by default that is
// what its visitor could ask for, too; larder_esi_include names something else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ngx_module/ngx.hpp"
#include "ngx_module/request/ctx.hpp"

namespace larder::ngx {

// Whether `target` ("/path?query") begins with one of the paths of larder_esi_include, or there are none.
bool may_include(ngx_http_request_t* r, const std::vector<std::string>& paths, std::string_view target);

// Makes a fragment, which has not begun, go no further than its page's visitor could.
void confine(Ctx* fragment);

// Whether a confined fragment has come to a location with access rules (allow, deny, auth_basic, auth_request) that the page's
// request has not passed: nginx applies them to no subrequest. To be asked before the location's handler runs.
bool is_out_of_reach(ngx_http_request_t* r, const Ctx* fragment);

}  // namespace larder::ngx
