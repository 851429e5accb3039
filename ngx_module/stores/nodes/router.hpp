// Which node of a store has what is stored under a name. Today each store is a single server; Sentinel, Cluster and a ring of
// servers are to be routers of their own, and nothing above this interface knows which one it uses.
#pragma once

#include <string_view>

namespace larder::ngx {

// The type of nodes is a parameter so that routers can be tested without nginx (tests/ngx_module/test_router.cpp).
template <typename N>
class BasicRouter {
public:
    virtual ~BasicRouter() = default;

    virtual N& node_of(std::string_view name) = 0;
    // Whether there is any node that can be asked at present.
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
