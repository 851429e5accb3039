// Which node has what, without servers: routers know of a node whether it is available, and no more.
#include "ngx_module/stores/nodes/router.hpp"

#include "tests/cmocka.hpp"

using namespace larder::ngx;

namespace {

struct FakeNode {
    bool up = true;
    bool available() const { return up; }
};

TEST(a_single_server_has_everything) {
    FakeNode node;
    BasicSingleRouter<FakeNode> router(node);
    for (const char* name : {"larder:e:AAAA", "larder:l:AAAA", "larder:{purge}log", ""})
        assert_ptr_equal(&router.node_of(name), &node);
}

TEST(a_store_is_available_while_its_server_is) {
    FakeNode node;
    BasicSingleRouter<FakeNode> router(node);
    assert_true(router.available());
    node.up = false;
    assert_false(router.available());
    assert_ptr_equal(&router.node_of("larder:e:AAAA"), &node);  // who asks sees to it that it is up
}

}  // namespace

TEST_MAIN("routers")
