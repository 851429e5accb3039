// The setters that the command table names, by what they are about. Each may throw std::bad_alloc.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

using Setter = char*(ngx_conf_t* cf, ngx_command_t* command, void* conf);

// stores.cpp: where entries live
Setter set_zone, set_store, set_daemon, set_larder;
// key.cpp: what makes two requests the same
Setter set_signing_key, set_cookie, set_cookie_preset, set_header, set_language, set_encoding, set_query,
    set_vary, set_group, set_audience;
// lifetime.cpp: what is stored, for how long, and who makes it anew
Setter set_valid, set_stale, set_bypass, set_no_store, set_refresh, set_lock, set_max_size, set_revalidate,
    set_heuristic, set_strip_set_cookie, set_invalidate, set_targeted, set_request_control, set_csp_nonce, set_authorization, set_error_status;
// esi.cpp: pages of fragments
Setter set_esi, set_esi_include, set_esi_cookie, set_esi_set_cookie, set_csrf;
// endpoints.cpp
Setter set_status_endpoint, set_purge_endpoint;

}  // namespace larder::ngx
