// Functions that the module's context refers to.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

ngx_int_t preconfigure(ngx_conf_t* cf);
ngx_int_t postconfigure(ngx_conf_t* cf);

}  // namespace larder::ngx
