// Variables for logs and conditions, and what happens in the log phase.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// $larder_status, $larder_key, $larder_age.
ngx_int_t add_variables(ngx_conf_t* cf);

// Counts the request, and gives the access log the client's headers back if the backend never answered.
ngx_int_t log_handler(ngx_http_request_t* r);

}  // namespace larder::ngx
