// The module's variables, and its handler of the log phase.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// $larder_status, $larder_key, $larder_age and $larder_group.
ngx_int_t add_variables(ngx_conf_t* cf);

// Counts the request. Puts the client's header fields back for the access log, if the backend never answered.
ngx_int_t log_handler(ngx_http_request_t* r);

}  // namespace larder::ngx
