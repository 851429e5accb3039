// Tests of the contract of Store. Each implementation's test program includes this file and defines:
//   std::unique_ptr<Store> make_store();   an empty store
#pragma once

#include <memory>
#include <set>

#include "cache/bytes.hpp"
#include "cache/entry.hpp"
#include "cache/request/key.hpp"
#include "cache/request/variant.hpp"
#include "daemon/clock.hpp"
#include "daemon/stores/entry_start.hpp"
#include "daemon/stores/store.hpp"
#include "tests/cmocka.hpp"

namespace larder::test {

using namespace larder::daemon;
using namespace std::chrono_literals;

std::unique_ptr<Store> make_store();

inline std::string variant_of(const std::string& path) {
    Variant variant{.method = "GET",
                    .scheme = "http",
                    .host = "h",
                    .path = path,
                    .query = {},
                    .cookies = {},
                    .headers = {}};
    return variant.encode();
}

inline std::string entry_of(const std::string& variant, std::uint64_t fence, std::int64_t created_ms,
                            std::string_view body) {
    EntryParts parts;
    parts.variant = variant;
    parts.fence = fence;
    parts.created_ms = created_ms;
    parts.life = {created_ms, 60'000, 0, 0};
    parts.body = body;
    return build_entry(parts);
}

inline std::string policy_bytes() {
    std::string bytes;
    ByteWriter out(bytes);
    write_policy(out, Policy());
    return bytes;
}

inline std::set<std::string> keys_under(Store& store, std::uint64_t hash) {
    std::set<std::string> keys;
    store.each_key(hash, [&keys](const std::string& key) { keys.insert(key); });
    return keys;
}

TEST(a_store_has_an_identity_of_its_own) {
    auto store = make_store();
    std::uint64_t identity = store->identity();
    assert_true(identity != 0);
    assert_true(store->identity() == identity);
    assert_true(make_store()->identity() != identity);  // a store that was emptied has another identity
}

TEST(an_entry_that_saw_more_purges_is_kept_and_then_the_younger_one) {
    auto store = make_store();
    std::string variant = variant_of("/");
    assert_false(store->get("k").has_value());
    assert_true(store->put("k", entry_of(variant, 5, 1000, "first"), 1min));
    assert_true(store->put("k", entry_of(variant, 5, 1001, "younger"), 1min));
    assert_false(store->put("k", entry_of(variant, 5, 1000, "older"), 1min));
    assert_false(store->put("k", entry_of(variant, 4, 2000, "saw less"), 1min));
    assert_true(store->put("k", entry_of(variant, 6, 500, "saw more"), 1min));
    std::string bytes = *store->get("k");
    const char* why = nullptr;
    assert_text_equal(EntryView::parse(bytes, &why)->body(), "saw more");
}

TEST(the_start_of_an_entry_is_enough_to_make_it_again) {
    auto store = make_store();
    std::string variant = variant_of("/" + std::string(3000, 'x'));
    std::string key = key_of(variant).text();
    store->put(key, entry_of(variant, 7, 1000, std::string(100'000, 'b')), 1min);
    auto start = read_entry_start(*store, key);
    assert_true(start.has_value());
    assert_text_equal(start->variant, variant);
    assert_int_equal(start->head.fence, 7);
    assert_false(read_entry_start(*store, "missing").has_value());
    store->put("other", entry_of(variant, 7, 1000, ""), 1min);
    assert_false(read_entry_start(*store, "other").has_value());  // stored under a key that is not its variant's
}

TEST(the_index_knows_keys_by_tag_and_their_policy) {
    auto store = make_store();
    store->index("a", {1, 2}, policy_bytes(), 1min);
    store->index("b", {2}, policy_bytes(), 1min);
    assert_true(keys_under(*store, 2) == std::set<std::string>({"a", "b"}));
    assert_true(keys_under(*store, 1) == std::set<std::string>({"a"}));
    assert_true(keys_under(*store, 3).empty());
    assert_true(store->policy("a") == Policy());
    assert_false(store->policy("c").has_value());
    store->forget("b", 2);
    assert_true(keys_under(*store, 2) == std::set<std::string>({"a"}));
}

TEST(a_purge_is_seen_by_whom_it_names_and_by_nobody_else) {
    auto store = make_store();
    std::uint64_t before = store->newest_purge();
    std::uint64_t sequence = store->purge({1, 2}, PurgeMode::soft, "pg/1/AB");
    assert_true(sequence > before);
    assert_true(store->newest_purge() == sequence);
    PurgeSeen seen = store->purges_since(before, {7, 2});
    assert_true(seen.sequence == sequence && seen.mode == PurgeMode::soft);
    assert_true(store->purges_since(before, {7}).mode == PurgeMode::none);
    assert_true(store->purges_since(sequence, {1, 2}).mode == PurgeMode::none);
    std::uint64_t hard = store->purge({2}, PurgeMode::hard, "");
    assert_true(hard > sequence);
    assert_true(store->purges_since(before, {2}).mode == PurgeMode::hard);
    assert_true(store->purges_since(before, {1}).mode == PurgeMode::soft);
    // If the log has one line for both, the hard purge replaces the soft one.
    auto purges = store->logged_after(before);
    assert_true(purges.size() >= 2 && purges.front().hash == 1 && purges.front().mode == PurgeMode::soft);
    assert_true(purges.back().sequence == hard && purges.back().hash == 2 && purges.back().mode == PurgeMode::hard);
    assert_true(store->logged_after(hard).empty());
    assert_true(std::abs(static_cast<std::int64_t>(hard) - unix_us()) < 60'000'000);
}

TEST(a_purge_stays_pending_until_it_is_settled_and_its_position_is_remembered) {
    auto store = make_store();
    auto first = [&store]() -> std::optional<Purge> {
        auto purges = store->pending(1);
        return purges.empty() ? std::nullopt : std::optional(purges[0]);
    };
    while (auto old = first()) store->settle(*old);
    std::uint64_t sequence = store->purge({42}, PurgeMode::soft, "pg/1/16B3748");
    std::optional<Purge> purge;
    for (int i = 0; i < 500 && !(purge = first()); i++) usleep(10'000);
    assert_true(purge.has_value());
    assert_true(purge->sequence == sequence && purge->hash == 42);
    assert_text_equal(purge->position, "pg/1/16B3748");
    assert_true(first()->sequence == sequence);
    store->purge({43}, PurgeMode::soft, "pg/1/FFF");
    auto positions = store->newest_positions();
    assert_true(std::find(positions.begin(), positions.end(), "pg/1/16B3748") != positions.end());
    assert_true(std::find(positions.begin(), positions.end(), "pg/1/FFF") == positions.end());
    store->settle(*purge);
    for (int i = 0; i < 500 && !(purge = first()); i++) usleep(10'000);
    assert_true(purge->hash == 43);
    store->settle(*purge);
    assert_false(first().has_value());
}

TEST(purges_are_settled_in_any_order) {
    auto store = make_store();
    std::vector<Purge> purges;
    store->pending(1);
    for (std::uint64_t hash : {11, 12, 13}) store->purge({hash}, PurgeMode::soft, "");
    for (int i = 0; i < 500 && purges.size() < 3; i++) {
        purges = store->pending(16);
        if (purges.size() < 3) usleep(10'000);
    }
    assert_int_equal(purges.size(), 3);
    store->settle(purges[1]);
    purges = store->pending(16);
    assert_true(purges.size() == 2 && purges[0].hash == 11 && purges[1].hash == 13);
    assert_int_equal(store->pending(1).size(), 1);
}

}  // namespace larder::test
