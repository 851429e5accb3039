// Finds the node of a store that holds an item. At present each store is a single server. Sentinel, Cluster and
// fleets of servers will be other routers, and code above this interface does not know which one is used.
#pragma once

#include <string_view>

namespace larder::ngx {

// Nodes are a template parameter so that routers can be tested without nginx (tests/ngx_module/test_router.cpp).
template <typename N>
class BasicRouter {
public:
    virtual ~BasicRouter() = default;

    virtual N& node_of(std::string_view name) = 0;
    // Whether any node can be asked now.
    virtual bool available() const = 0;
};

template <typename N>
class BasicSingleRouter final : public BasicRouter<N> {
public:
    explicit BasicSingleRouter(N& node) : node_(node) {}

    N& node_of(std::string_view) override { return node_; }
    bool available() const override { return node_.available(); }

private:
    N& node_;
};

class Node;
using Router = BasicRouter<Node>;
using SingleRouter = BasicSingleRouter<Node>;

}  // namespace larder::ngx
