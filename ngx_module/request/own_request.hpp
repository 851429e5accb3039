// Requests that Larder begins by itself, to make a page anew. nginx runs one like any other, from the server's rewrite phase on,
// and the answer is captured like any other, but sent nowhere. Its connection is one end of a socket pair, so that nginx's code,
// which wants a file descriptor, finds a good one. Not being a subrequest, it keeps no client waiting.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

struct OwnRequest {
    ngx_listening_t* listening = nullptr;
    ngx_http_addr_conf_t* address = nullptr;
    ngx_http_conf_ctx_t* server = nullptr;  // null: the one of `address` that the Host field names
    std::string local;                      // sockaddr that the client connected to; empty: the one listened on
    std::string client, client_text;        // sockaddr and text of who asks; empty: somebody at a Unix socket
    std::string server_name;                // as nginx took it from the client's request; with `server`
    std::string target;
    std::vector<std::pair<std::string, std::string>> fields;  // in order; one of them is Host
    in_port_t port = 0;                                       // as the client named it
};

// What a request that makes r's page anew has of r, which may be gone before it begins: where it came in, and the fields that the
// configuration may look at. Those of r's connection, of its body, and its conditions and ranges are left out.
OwnRequest resembling(ngx_http_request_t* r);

// The request, ready for a context and start(). Null, and it is logged, when nginx can't make one.
ngx_http_request_t* open_request(const OwnRequest& wanted);

bool is_own(const ngx_http_request_t* r);

// nginx runs it from here on; it may have ended when this returns.
void start(ngx_http_request_t* r);

}  // namespace larder::ngx
