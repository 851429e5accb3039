// Which server blocks are different sites though a client may name them alike.
#pragma once

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Names the site of each server block that caches (SrvConf::site), from the addresses on which they listen.
//
// nginx chooses the server block by the socket that a request came to, and then by its host. Blocks that listen on the same
// sockets need no name: the host that the key holds tells them apart. Where blocks listen on different ones, the same host may
// lead to either, and the client is free to leave the port out of it. Then each is named after its ports, or after its addresses
// where the ports are the same. One keeps the empty name: the only one on the scheme's default port, where a URL without a
// port leads. http and https are apart anyway.
void name_sites(ngx_conf_t* cf);

}  // namespace larder::ngx
