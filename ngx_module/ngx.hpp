// The only file that includes nginx's headers, as they need extern "C".
#pragma once

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_http.h>

extern ngx_module_t ngx_http_larder_module;
extern ngx_module_t ngx_http_larder_body_module;
}

#if nginx_version < 1022000
#error "Larder needs nginx 1.22 or newer"
#endif
