// The addresses that the name of a store leads to. When nginx reads its configuration it asks the system, which may take its time; a
// running worker asks nginx's `resolver`, which never blocks, and keeps answers for as long as they are good. Without a `resolver`
// the addresses stay.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ngx_module/directives/config.hpp"
#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// Set from the http block's `resolver` before the first HostName is made; null: there is none.
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
    // `changed` gets at least one address, and is never called by the constructor.
    HostName(const Endpoint& endpoint, ngx_log_t* log, std::function<void(std::vector<StoreAddress>)> changed);
    ~HostName();
    HostName(const HostName&) = delete;
    HostName& operator=(const HostName&) = delete;

    // Asks, unless an answer is awaited, and then every second: the resolver knows how long an answer is good. What is known and
    // still good is told before this returns.
    void ask();

private:
    static void on_answer(ngx_resolver_ctx_t* query);
    void take(ngx_resolver_ctx_t* query);

    std::string name_;  // empty: it is an address, or a socket
    in_port_t port_ = 0;
    ngx_log_t* log_;
    std::function<void(std::vector<StoreAddress>)> changed_;
    ngx_resolver_ctx_t* query_ = nullptr;
    ngx_event_t timer_{};
    ngx_int_t last_error_ = 0;
};

}  // namespace larder::ngx
