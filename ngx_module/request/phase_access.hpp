// The preaccess phase: which of nginx's access rules hold for requests of our own.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// The phase's handler. Lets refreshes skip preaccess and access, and refuses fragments that are out of their visitor's reach.
ngx_int_t access_handler(ngx_http_request_t* r);

}  // namespace larder::ngx
