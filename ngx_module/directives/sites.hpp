// Names the server blocks that are different sites, though clients may use the same host name for them.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Sets SrvConf::site of each server block that caches, by the addresses on which it listens.
//
// nginx chooses the server block by the socket that received the request, then by the host. Blocks that listen on the
// same sockets need no name, as the host in the key tells them apart. If blocks listen on different sockets, a
// request with the same host may reach either, and the client need not state the port. Then each block is named by
// its ports, or by its addresses if the ports are the same. A block that alone has the scheme's default port keeps
// the empty name: URLs without a port lead there. The key tells http from https anyway.
void name_sites(ngx_conf_t* cf);

}  // namespace larder::ngx
