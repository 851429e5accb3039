// The store in a real memcached fulfils the contract.
#include "daemon/stores/memcached_store.hpp"

#include "cache/wire/memcached_names.hpp"
#include "daemon/memcached_client.hpp"
#include "tests/daemon/servers.hpp"
#include "tests/daemon/store_conformance.hpp"

namespace larder::test {

namespace {

std::string prefix() {
    static int count = 0;
    return "test" + std::to_string(++count) + ":";
}

std::vector<HostPort> servers() {
    return {{"127.0.0.1", memcached_server().port()}};
}

}  // namespace

std::unique_ptr<Store> make_store() {
    return std::make_unique<MemcachedStore>(servers(), 5s, prefix());
}

TEST(a_purge_log_that_was_lost_purges_everything_older) {
    std::string name = prefix();
    MemcachedStore store(servers(), 5s, name);
    std::uint64_t fence = store.purge({1}, PurgeMode::soft, "");
    memcached_st* raw = memcached_create(nullptr);
    memcached_server_add(raw, "127.0.0.1", memcached_server().port());
    memcached_delete(raw, (name + "purges").data(), name.size() + 6, 0);
    memcached_free(raw);
    assert_true(store.purges_since(fence, {99}).mode == PurgeMode::soft);
    assert_true(store.purges_since(store.newest_purge(), {99}).mode == PurgeMode::none);
}

// Appends to the log like a purger whose clock is far behind.
void append_to_log(const std::string& name, const std::string& line) {
    MemcachedClient client(servers(), 5s);
    assert_true(client.append(name + "purges", line));
}

TEST(purges_count_in_the_order_of_their_lines_whatever_their_numbers_say) {
    std::string name = prefix();
    MemcachedStore store(servers(), 5s, name);
    store.purge({1}, PurgeMode::soft, "");
    std::uint64_t fence = store.newest_purge();
    append_to_log(name, "1000 000000000000002a s\n");
    assert_true(store.purges_since(fence, {42}).mode == PurgeMode::soft);
    assert_true(store.newest_purge() > fence);
    std::uint64_t later = store.newest_purge();
    append_to_log(name, "1000 000000000000002a h\n");
    assert_true(store.purges_since(later, {42}).mode == PurgeMode::hard);
    assert_true(store.purges_since(store.newest_purge(), {42}).mode == PurgeMode::none);
    assert_true(store.purge({2}, PurgeMode::soft, "") > later);
}

TEST(a_purge_log_that_somebody_started_who_knows_less_gets_a_floor) {
    std::string name = prefix();
    MemcachedStore store(servers(), 5s, name);
    std::uint64_t fence = store.purge({1}, PurgeMode::soft, "");
    MemcachedClient client(servers(), 5s);
    client.remove(name + "purges");
    assert_true(client.add(name + "purges", "1000 floor s\n", 0ms));
    assert_true(store.purges_since(fence, {99}).mode == PurgeMode::soft);
    assert_true(store.purges_since(store.newest_purge(), {99}).mode == PurgeMode::none);
}

TEST(a_purge_log_that_is_full_starts_anew) {
    auto store = make_store();
    std::uint64_t first = store->newest_purge();
    std::vector<std::uint64_t> hashes(5000);
    for (std::size_t i = 0; i < 6; i++) store->purge(hashes, PurgeMode::soft, "");
    assert_true(store->purges_since(first, {77}).mode == PurgeMode::soft);
}

TEST(a_value_that_is_too_large_is_an_error) {
    auto store = make_store();
    bool refused = false;
    try {
        store->put("k", entry_of(variant_of("/"), 1, 1, std::string(2 << 20, 'x')), 1min);
    } catch (const TooLarge&) {
        refused = true;
    }
    assert_true(refused);
    assert_false(store->get("k").has_value());
}

TEST(the_index_forgets_what_expires_first_when_it_is_full) {
    TagIndex index(3);
    for (auto [key, life] :
         {std::pair("a", 3000ms), std::pair("b", 1000ms), std::pair("c", 2000ms), std::pair("d", 4000ms)})
        index.add(key, {1}, "p", life);
    assert_int_equal(index.size(), 3);
    assert_text_equal(index.policy("b"), "");
    assert_int_equal(index.keys(1).size(), 3);
    index.add("a", {2}, "q", 1s);
    assert_int_equal(index.keys(1).size(), 2);
    assert_text_equal(index.policy("a"), "q");
}

}  // namespace larder::test

TEST_MAIN("memcached_store")
