// The preaccess phase: which of nginx's access rules apply to requests that Larder makes.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Handler of the phase. Lets refreshes skip preaccess and access, and refuses fragments that their visitor may not
// reach.
ngx_int_t access_handler(ngx_http_request_t* r);

}  // namespace larder::ngx
