// Warnings of nginx -t about configurations that are legal but known to cause trouble.
#pragma once

#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

// Logs the warnings. Precondition: the configurations of all modules are merged.
void give_advice(ngx_conf_t* cf, const MainConf& conf);

}  // namespace larder::ngx
