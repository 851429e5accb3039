// Resolves the name of a store. While nginx reads its configuration, the system's resolver is used, which may block.
// A running worker uses nginx's `resolver`, which never blocks and caches answers for their lifetime. Without a
// `resolver` directive the addresses don't change.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Takes the http block's `resolver`; there may be none. Call it before the first HostName is made.
void use_resolver(ngx_cycle_t* cycle);

struct StoreAddress {
    sockaddr_storage socket{};
    socklen_t size = 0;
    std::string text;

    StoreAddress(const sockaddr* address, socklen_t bytes);
    bool operator==(const StoreAddress& other) const;
};

class HostName {
public:
    // `changed` is called with at least one address, never by the constructor.
    HostName(const Endpoint& endpoint, ngx_log_t* log, std::function<void(std::vector<StoreAddress>)> changed);
    ~HostName();
    HostName(const HostName&) = delete;
    HostName& operator=(const HostName&) = delete;

    // Asks for the addresses, and from then on every second; nginx's resolver caches the answers. If it has a valid
    // one, `changed` is called before this returns.
    void ask();

private:
    static void on_answer(ngx_resolver_ctx_t* query);
    void take(ngx_resolver_ctx_t* query);

    std::string name_;  // empty: the host is an address, or a socket
    in_port_t port_ = 0;
    ngx_log_t* log_;
    std::function<void(std::vector<StoreAddress>)> changed_;
    ngx_resolver_ctx_t* query_ = nullptr;
    ngx_event_t timer_{};
    ngx_int_t last_error_ = 0;
};

}  // namespace larder::ngx
