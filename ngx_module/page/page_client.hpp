// The client of a page that is being sent part by part. nginx looks at no client between two parts of an answer, so these handlers do.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Notices a client that leaves before anything was sent.
void watch_client(ngx_http_request_t* r);
// Sends on what the client has not taken yet, for as long as the page waits for more. A client that takes nothing has send_timeout.
void wait_for_client(ngx_http_request_t* r);

// Called by these handlers when the client of r, a page's request, has left: `rc` is what nginx would end the request with. page.cpp
// defines it. Never throws.
void on_client_left(ngx_http_request_t* r, ngx_int_t rc) noexcept;

}  // namespace larder::ngx
