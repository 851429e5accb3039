// What nginx -t warns of: configurations that are legal, and known to go wrong.
#pragma once

#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

// Precondition: all modules' configurations are merged.
void give_advice(ngx_conf_t* cf, const MainConf& conf);

}  // namespace larder::ngx
