// Requests that Larder starts by itself, to render a page again. nginx runs one like a client's, from the server's
// rewrite phase on; the answer is captured, and sent nowhere. Its connection is one end of a socket pair, because
// nginx's code needs a valid file descriptor. It is no subrequest, so no client waits for it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

struct OwnRequest {
    ngx_listening_t* listening = nullptr;
    ngx_http_addr_conf_t* address = nullptr;
    ngx_http_conf_ctx_t* server = nullptr;  // null: chosen from `address` by the Host field
    std::string local;                      // sockaddr that a client would have connected to; empty: that of `listening`
    std::string client, client_text;        // sockaddr and text of the asker; empty: a Unix socket
    std::string server_name;                // used with `server`: what nginx took from the client's request
    std::string target;
    std::vector<std::pair<std::string, std::string>> fields;  // in order; must contain Host
    in_port_t port = 0;                                       // as the client named it; 0: none
};

// What a request needs in order to render r's page again; r may be gone when that request starts. It has the address
// where r came in, and the fields that the configuration may look at. Left out are the fields of r's connection and
// body, its conditions and ranges.
OwnRequest resembling(ngx_http_request_t* r);

// Makes the request, ready for a context and start(). Null if nginx can't make one, which is logged. Throws
// std::bad_alloc.
ngx_http_request_t* open_request(const OwnRequest& wanted);

bool is_own(const ngx_http_request_t* r);

// Hands the request over to nginx. It may have ended when this returns.
void start(ngx_http_request_t* r);

}  // namespace larder::ngx
