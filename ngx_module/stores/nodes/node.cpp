#include "ngx_module/stores/nodes/node.hpp"

#include <memory>
#include <utility>

namespace larder::ngx {

Node::Node(const Endpoint& endpoint, ngx_log_t* log)
    : names_(endpoint.prefix), link_(endpoint, greeting_for(endpoint), log) {}

void Node::send(RedisBatch batch, ReplyHandler handler) {
    auto kept = std::make_shared<RedisBatch>(std::move(batch));
    link_.send(kept->bytes(), kept->size(), [this, kept, handler = std::move(handler)](const Reply* reply) {
        if (reply != &unknown_script) return handler(reply);
        link_.send(kept->in_full(), kept->size(), handler);
    });
}

}  // namespace larder::ngx
