#include "ngx_module/stores/link/host_name.hpp"

#include <cstring>
#include <utility>

#include "cache/wire/store_url.hpp"
#include "ngx_module/pool.hpp"
#include "ngx_module/text.hpp"

namespace larder::ngx {

namespace {

constexpr ngx_msec_t answer_timeout_ms = 30'000;  // default of resolver_timeout
constexpr ngx_msec_t pause_ms = 1000;

ngx_resolver_t* resolver;

}  // namespace

void use_resolver(ngx_cycle_t* cycle) {
    auto* http = reinterpret_cast<ngx_http_conf_ctx_t*>(ngx_get_conf(cycle->conf_ctx, ngx_http_module));
    auto* core = static_cast<ngx_http_core_loc_conf_t*>(http->loc_conf[ngx_http_core_module.ctx_index]);
    resolver = core->resolver != nullptr && core->resolver->connections.nelts != 0 ? core->resolver : nullptr;
}

StoreAddress::StoreAddress(const sockaddr* address, socklen_t bytes) : size(bytes) {
    std::memcpy(&socket, address, bytes);
    u_char shown[NGX_SOCKADDR_STRLEN];
    std::size_t length = ngx_sock_ntop(reinterpret_cast<sockaddr*>(&socket), size, shown, sizeof shown, 1);
    text.assign(reinterpret_cast<char*>(shown), length);
}

bool StoreAddress::operator==(const StoreAddress& other) const {
    return size == other.size && std::memcmp(&socket, &other.socket, size) == 0;
}

HostName::HostName(const Endpoint& endpoint, ngx_log_t* log, std::function<void(std::vector<StoreAddress>)> changed)
    : log_(log), changed_(std::move(changed)) {
    std::string why;
    auto url = parse_store_url(endpoint.url, why);
    if (!url || url->servers.empty()) return;
    const StoreUrl::Server& server = url->servers[0];
    bool is_address = server.host.find(':') != std::string::npos ||
                      ngx_inet_addr(str(server.host).data, server.host.size()) != INADDR_NONE;
    if (is_address) return;
    name_ = server.host;
    port_ = server.port;
    timer_.data = this;
    timer_.log = log;
    timer_.cancelable = 1;
    timer_.handler = [](ngx_event_t* event) {  // guarded
        guarded(event->log, "address of a store", 0, [event] {
            static_cast<HostName*>(event->data)->ask();
            return 0;
        });
    };
}

HostName::~HostName() {
    if (timer_.timer_set) ngx_del_timer(&timer_);
    if (query_ != nullptr) ngx_resolve_name_done(query_);
}

void HostName::ask() {
    if (resolver == nullptr || name_.empty()) return;
    if (!timer_.timer_set) ngx_add_timer(&timer_, pause_ms);
    if (query_ != nullptr) return;
    ngx_resolver_ctx_t* query = ngx_resolve_start(resolver, nullptr);
    if (query == nullptr || query == NGX_NO_RESOLVER) return;
    query->name = str(name_);
    query->handler = on_answer;  // guarded
    query->data = this;
    query->timeout = answer_timeout_ms;
    query->cancelable = 1;
    query_ = query;
    if (ngx_resolve_name(query) != NGX_OK) query_ = nullptr;  // nginx has freed it
}

void HostName::on_answer(ngx_resolver_ctx_t* query) {  // guarded
    auto* self = static_cast<HostName*>(query->data);
    guarded(self->log_, "address of a store", 0, [&] {
        self->take(query);
        return 0;
    });
}

void HostName::take(ngx_resolver_ctx_t* query) {
    std::vector<StoreAddress> addresses;
    ngx_int_t error = query->state;
    for (ngx_uint_t i = 0; error == NGX_OK && i < query->naddrs; i++) {
        sockaddr_storage address{};
        std::memcpy(&address, query->addrs[i].sockaddr, query->addrs[i].socklen);
        ngx_inet_set_port(reinterpret_cast<sockaddr*>(&address), port_);
        addresses.emplace_back(reinterpret_cast<sockaddr*>(&address), query->addrs[i].socklen);
    }
    ngx_resolve_name_done(std::exchange(query_, nullptr));
    if (std::exchange(last_error_, error) != error && error != NGX_OK)
        ngx_log_error(NGX_LOG_WARN, log_, 0, "larder: the address of \"%s\" is not to be found (%i: %s): the one known is used",
                      name_.c_str(), error, ngx_resolver_strerror(error));
    if (!addresses.empty()) changed_(std::move(addresses));
}

}  // namespace larder::ngx
