// Watches the client of a page that is sent piece by piece. nginx watches no client between two pieces of an answer.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Watches for a client that leaves before anything was sent.
void watch_client(ngx_http_request_t* r);
// Goes on sending what the client has not taken, while the page waits for fragments. send_timeout limits how long the
// client may take nothing.
void wait_for_client(ngx_http_request_t* r);

// Called by these handlers when the client of r, a page's request, has left. `rc`: what nginx would finalize the
// request with. Defined in page.cpp. Never throws.
void on_client_left(ngx_http_request_t* r, ngx_int_t rc) noexcept;

}  // namespace larder::ngx
