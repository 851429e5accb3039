// One server of a store or of the queue: the link to it, and what is said to it.
#pragma once

#include <string_view>

#include "cache/wire/redis_wire.hpp"
#include "cache/wire/store_names.hpp"
#include "ngx_module/directives/config.hpp"
#include "ngx_module/stores/link/link.hpp"

namespace larder::ngx {

class Node {
public:
    // The endpoint must outlive the node.
    Node(const Endpoint& endpoint, ngx_log_t* log);

    StoreKind kind() const { return link_.endpoint().kind; }
    const StoreNames& names() const { return names_; }
    bool available() const { return link_.available(); }
    std::uint64_t generation() const { return link_.generation(); }
    void connect() { link_.connect(); }

    // As Link::send().
    void send(std::string_view commands, unsigned count, ReplyHandler handler) {
        link_.send(commands, count, std::move(handler));
    }
    // The handler gets the reply of the last command. If the server does not know a script, all of them are sent again.
    void send(RedisBatch batch, ReplyHandler handler);

private:
    StoreNames names_;
    Link link_;
};

}  // namespace larder::ngx
