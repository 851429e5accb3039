// The setters that the command table refers to. Each may throw std::bad_alloc.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

using Setter = char*(ngx_conf_t* cf, ngx_command_t* command, void* conf);

#define DIRECTIVE(name, conf, contexts, arguments, setter) Setter setter;
#define SETTING(type, name, fallback)
#include "ngx_module/directives/directives.def"
#undef SETTING
#undef DIRECTIVE

}  // namespace larder::ngx
