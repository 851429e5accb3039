// One server of a store or of the queue: the link to it, and the names of what it holds.
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

    // See Link::send().
    void send(std::string_view commands, unsigned count, ReplyHandler handler) {
        link_.send(commands, count, std::move(handler));
    }
    // Sends a batch. The handler gets the reply to the last command. If the server does not know a script, the whole
    // batch is sent again with the scripts' text: then it runs after commands that were sent in the meantime.
    void send(RedisBatch batch, ReplyHandler handler);

private:
    StoreNames names_;
    Link link_;
};

}  // namespace larder::ngx
