#include "ngx_module/directives/sites.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

struct Socket {
    std::string address;  // as nginx writes it: "0.0.0.0:80"
    std::string port;     // for a Unix socket: its path
    bool tls = false;

    bool operator<(const Socket& other) const { return address < other.address; }
    bool operator==(const Socket& other) const { return address == other.address; }
};

struct Server {
    SrvConf* conf;
    std::set<Socket> sockets;
};

Socket socket_of(const ngx_http_listen_opt_t& listen) {
    Socket socket{std::string(view(listen.addr_text)), {}, listen.ssl != 0};
    bool is_unix = socket.address.compare(0, 5, "unix:") == 0;
    socket.port = is_unix ? socket.address : socket.address.substr(socket.address.rfind(':') + 1);
#if (NGX_HTTP_V3)
    if (listen.quic) {  // a socket of its own, with its own choice of server blocks
        socket.tls = true;
        socket.address += "/quic";
        socket.port += "/quic";
    }
#endif
    return socket;
}

// Calls f(server block, socket) for each socket that a block listens on.
template <typename F>
void each_listen(ngx_http_core_main_conf_t* core, F&& f) {
    if (core->ports == nullptr) return;
    auto* ports = static_cast<ngx_http_conf_port_t*>(core->ports->elts);
    for (ngx_uint_t p = 0; p < core->ports->nelts; p++) {
        auto* addresses = static_cast<ngx_http_conf_addr_t*>(ports[p].addrs.elts);
        for (ngx_uint_t a = 0; a < ports[p].addrs.nelts; a++) {
            auto** servers = static_cast<ngx_http_core_srv_conf_t**>(addresses[a].servers.elts);
            for (ngx_uint_t s = 0; s < addresses[a].servers.nelts; s++)
                f(servers[s], socket_of(addresses[a].opt));
        }
    }
}

std::vector<Server> caching_servers(ngx_http_core_main_conf_t* core) {
    std::vector<Server> servers;
    each_listen(core, [&servers](const ngx_http_core_srv_conf_t* block, const Socket& socket) {
        auto* conf = static_cast<SrvConf*>(block->ctx->srv_conf[ngx_http_larder_module.ctx_index]);
        if (!conf->caches) return;
        auto known = std::find_if(servers.begin(), servers.end(),
                                  [conf](const Server& server) { return server.conf == conf; });
        if (known == servers.end()) known = servers.insert(servers.end(), Server{conf, {}});
        known->sockets.insert(socket);
    });
    return servers;
}

std::set<Socket> of_scheme(const std::set<Socket>& sockets, bool tls) {
    std::set<Socket> chosen;
    std::copy_if(sockets.begin(), sockets.end(), std::inserter(chosen, chosen.end()),
                 [tls](const Socket& socket) { return socket.tls == tls; });
    return chosen;
}

std::string joined(const std::set<Socket>& sockets, std::string Socket::*name) {
    std::set<std::string> names;
    for (const Socket& socket : sockets) names.insert(socket.*name);
    std::string text;
    for (const std::string& one : names) text.append(text.empty() ? "" : ",").append(one);
    return text;
}

bool has_port(const std::set<Socket>& sockets, std::string_view port) {
    return std::any_of(sockets.begin(), sockets.end(),
                       [port](const Socket& socket) { return socket.port == port; });
}

std::string site_name(const Server& server, const std::vector<Server>& all, bool tls) {
    std::set<Socket> own = of_scheme(server.sockets, tls);
    // By its listen directives, nobody can reach it by this scheme.
    if (own.empty()) return joined(server.sockets, &Socket::address);
    std::vector<std::set<Socket>> others;
    for (const Server& other : all) {
        std::set<Socket> sockets = of_scheme(other.sockets, tls);
        if (!sockets.empty() && sockets != own) others.push_back(std::move(sockets));
    }
    std::string_view default_port = tls ? "443" : "80";
    auto none_of_others = [&others](auto&& what) { return std::none_of(others.begin(), others.end(), what); };
    if (others.empty()) return {};
    if (has_port(own, default_port) &&
        none_of_others([&](const std::set<Socket>& other) { return has_port(other, default_port); }))
        return {};
    std::string ports = joined(own, &Socket::port);
    if (none_of_others([&](const std::set<Socket>& other) { return joined(other, &Socket::port) == ports; }))
        return ports;
    return joined(own, &Socket::address);
}

}  // namespace

void name_sites(ngx_conf_t* cf) {
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    std::vector<Server> servers = caching_servers(core);
    for (const Server& server : servers) {
        for (bool tls : {false, true}) server.conf->site[tls] = site_name(server, servers, tls);
    }
}

}  // namespace larder::ngx
