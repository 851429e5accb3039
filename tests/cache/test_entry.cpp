// Entries: what is built can be read back, and anything else in a store is refused.
#include "cache/entry.hpp"

#include <cstring>
#include <random>

#include "cache/request/key.hpp"
#include "tests/cache/samples.hpp"

using namespace larder;
using namespace larder::test;

static std::string why_refused(std::string_view bytes) {
    const char* why = nullptr;
    bool parsed = EntryView::parse(bytes, &why).has_value();
    assert_true(parsed == (why == nullptr));
    return parsed ? "" : why;
}

TEST(what_is_built_is_read_back) {
    std::string bytes = sample_entry();
    const char* why = nullptr;
    auto entry = EntryView::parse(bytes, &why);
    assert_true(entry.has_value());
    assert_int_equal(entry->head().status, 200);
    assert_int_equal(entry->head().render_ms, 300);
    assert_int_equal(entry->head().created_ms, 1700000000000);
    assert_int_equal(entry->head().life.base_ms, 1700000000100);
    assert_int_equal(entry->head().life.fresh_ms, 60000);
    assert_int_equal(entry->head().life.while_ms, 3600000);
    assert_int_equal(entry->head().life.error_ms, 86400000);
    assert_int_equal(entry->head().fence, 1700000000000001);
    assert_text_equal(entry->variant(), sample_variant().encode());
    assert_text_equal(entry->plan(), "a plan");
    assert_text_equal(entry->body(), std::string_view("<p>body\0</p>", 12));
    std::string tags, headers, steering;
    entry->each_steering([&](std::string_view name, std::string_view value) {
        steering.append(name).append("=").append(value).append("|");
    });
    assert_text_equal(steering, "Surrogate-Control=max-age=60|");
    std::string vary;
    entry->each_vary([&](std::string_view name) { vary.append(name).append("|"); });
    assert_text_equal(vary, "x-device|");
    assert_text_equal(entry->header("etag"), "\"abc\"");
    assert_text_equal(entry->header("surrogate-control"), "");
    entry->each_tag([&](std::string_view tag) { tags.append(tag).append("|"); });
    entry->each_header([&](std::string_view name, std::string_view value) {
        headers.append(name).append("=").append(value).append("|");
    });
    assert_text_equal(tags, "news|item-1|");
    assert_text_equal(headers, "Content-Type=text/html|ETag=\"abc\"|X-Empty=|");
    assert_true(entry->bytes().data() == bytes.data());
    assert_text_equal(EntryView::trusted(bytes).body(), entry->body());
}

TEST(the_audience_is_read_back) {
    std::string variant = sample_variant().encode();
    EntryParts parts{.life = {}, .variant = variant, .tags = {}, .headers = {}, .plan = {}, .body = {}};
    assert_false(EntryView::trusted(build_entry(parts)).is_everybodys());
    parts.audience = Audience::everybody;
    std::string page = build_entry(parts), part = build_entry(part_of(parts, variant, "", "", false));
    assert_true(EntryView::trusted(page).is_everybodys());
    assert_true(EntryView::trusted(part).is_everybodys());  // that of its page
}

TEST(parts_may_be_empty) {
    std::string variant = sample_variant().encode();
    std::string bytes =
        build_entry({.life = {}, .variant = variant, .tags = {}, .headers = {}, .plan = {}, .body = {}});
    const char* why = nullptr;
    auto entry = EntryView::parse(bytes, &why);
    assert_true(entry.has_value());
    assert_int_equal(entry->plan().size() + entry->body().size(), 0);
    entry->each_tag([](std::string_view) { fail_msg("there is none"); });
    entry->each_header([](std::string_view, std::string_view) { fail_msg("there is none"); });
}

TEST(the_prefix_and_the_body_make_the_entry) {
    std::string variant = sample_variant().encode();
    EntryParts parts{
        .life = {}, .variant = variant, .tags = {}, .headers = {}, .plan = "p", .body = "the body"};
    assert_text_equal(entry_prefix(parts) + "the body", build_entry(parts));
}

TEST(every_truncation_is_refused) {
    each_truncation(sample_entry(), [](std::string_view bytes) { assert_true(!why_refused(bytes).empty()); });
    assert_text_equal(why_refused(sample_entry() + "x"), "entry is truncated or too long");
}

TEST(every_flipped_bit_is_found) {
    each_flip(sample_entry(),
              [](std::string_view bytes, std::size_t) { assert_true(!why_refused(bytes).empty()); });
}

TEST(the_reason_is_named) {
    std::string bytes = sample_entry();
    assert_text_equal(why_refused(""), "entry is shorter than its head");
    std::string other = bytes;
    other[0] = 'X';
    assert_text_equal(why_refused(other), "not an entry");
    other = bytes;
    other[offsetof(EntryHead, version)] = 9;
    assert_text_equal(why_refused(other), "entry has an unknown version");
    other = bytes;
    other.back() = '!';
    assert_text_equal(why_refused(other), "entry's body fails its checksum");
    other = bytes;
    other[offsetof(EntryHead, fence)] = 0;
    assert_text_equal(why_refused(other), "entry's head fails its checksum");
    other = bytes;
    other[sizeof(EntryHead) + 5] = '!';
    assert_text_equal(why_refused(other), "entry's head fails its checksum");
}

TEST(sizes_that_lie_are_refused) {
    for (std::size_t field : {offsetof(EntryHead, variant_size), offsetof(EntryHead, tags_size),
                              offsetof(EntryHead, headers_size), offsetof(EntryHead, steering_size), offsetof(EntryHead, vary_size),
                              offsetof(EntryHead, plan_size)}) {
        for (std::uint32_t size : {0u, 1u, 0x7fffffffu, 0xffffffffu}) {
            std::string bytes = sample_entry();
            std::memcpy(bytes.data() + field, &size, sizeof size);
            assert_true(!why_refused(bytes).empty());
        }
    }
    for (std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX, UINT64_MAX - 100, std::uint64_t{1} << 63}) {
        std::string bytes = sample_entry();
        std::memcpy(bytes.data() + offsetof(EntryHead, body_size), &size, sizeof size);
        assert_true(!why_refused(bytes).empty());
    }
}

TEST(right_checksums_do_not_make_a_hostile_entry_good) {
    std::string variant = sample_variant().encode();
    auto refused = [&](const std::function<void(EntryParts&)>& spoil) {
        EntryParts parts{
            .life = {0, 1, 1, 1}, .variant = variant, .tags = {}, .headers = {}, .plan = {}, .body = "b"};
        assert_text_equal(why_refused(build_entry(parts)), "");
        spoil(parts);
        return why_refused(build_entry(parts));
    };
    for (std::uint16_t status : std::initializer_list<std::uint16_t>{0, 100, 199, 600, 65535}) {
        assert_text_equal(refused([&](EntryParts& p) { p.status = status; }), "entry has an invalid status");
    }
    for (std::int64_t time : {INT64_MIN, std::int64_t{-1}, INT64_MAX}) {
        assert_text_equal(refused([&](EntryParts& p) { p.created_ms = time; }), "entry has impossible times");
        assert_text_equal(refused([&](EntryParts& p) { p.life.base_ms = time; }),
                          "entry has impossible times");
        assert_text_equal(refused([&](EntryParts& p) { p.life.fresh_ms = time; }),
                          "entry has impossible times");
        assert_text_equal(refused([&](EntryParts& p) { p.life.while_ms = time; }),
                          "entry has impossible times");
        assert_text_equal(refused([&](EntryParts& p) { p.life.error_ms = time; }),
                          "entry has impossible times");
    }
    assert_text_equal(refused([&](EntryParts& p) { p.tags = {"a", ""}; }), "entry has malformed tags");
    assert_text_equal(refused([&](EntryParts& p) { p.tags.assign(max_entry_tags + 1, "t"); }),
                      "entry has malformed tags");
    for (std::string_view name :
         {std::string_view(""), std::string_view("a b"), std::string_view("a:"), std::string_view("a\r\n"),
          std::string_view("\xe4"), std::string_view("a\0", 2)}) {
        assert_text_equal(refused([&](EntryParts& p) {
                              p.headers = {{name, "v"}};
                          }),
                          "entry has malformed headers");
    }
    for (std::string_view value :
         {std::string_view("a\r\nSet-Cookie: x"), std::string_view("a\nb"), std::string_view("\0", 1)}) {
        assert_text_equal(refused([&](EntryParts& p) {
                              p.headers = {{"n", value}};
                          }),
                          "entry has malformed headers");
    }
    assert_text_equal(refused([&](EntryParts& p) {
                          p.headers.assign(max_entry_headers + 1, {"n", "v"});
                      }),
                      "entry has malformed headers");
    assert_text_equal(refused([&](EntryParts& p) { p.audience = static_cast<Audience>(2); }),
                      "entry is for an unknown audience");
    assert_text_equal(refused([&](EntryParts& p) { p.made_for = static_cast<MadeFor>(2); }),
                      "entry was made for nobody known");
    assert_text_equal(refused([&](EntryParts& p) { p.variant = {}; }), "variant has an unknown version");
    assert_text_equal(refused([&](EntryParts& p) { p.variant = std::string_view(variant).substr(2); }),
                      "variant has an unknown version");
}

TEST(limits_are_inclusive) {
    std::string variant = sample_variant().encode();
    EntryParts parts{.life = {}, .variant = variant, .tags = {}, .headers = {}, .plan = {}, .body = {}};
    parts.tags.assign(max_entry_tags, "t");
    parts.headers.assign(max_entry_headers, {"n", "v"});
    assert_text_equal(why_refused(build_entry(parts)), "");
}

TEST(random_bytes_are_no_entry) {
    std::mt19937 generator(1);
    std::string bytes = sample_entry();
    for (int i = 0; i < 20000; i++) {
        std::string other = bytes.substr(0, generator() % bytes.size());
        for (unsigned n = generator() % 8; n > 0 && !other.empty(); n--)
            other[generator() % other.size()] = static_cast<char>(generator());
        assert_true(!why_refused(other).empty());
    }
}

TEST(a_purge_finds_an_entry_by_its_url_and_its_tags) {
    std::string bytes = sample_entry();
    std::vector<std::uint64_t> hashes;
    each_purge_hash(EntryView::trusted(bytes), [&](std::uint64_t hash) { hashes.push_back(hash); });
    assert_true(hashes == std::vector<std::uint64_t>({url_tag_hash("example.org:8443", "/news/%C3%A4"),
                                                      tag_hash("news"), tag_hash("item-1")}));
}

TEST(a_named_part_has_the_times_and_tags_of_its_page) {
    EntryParts page;
    std::string variant = sample_variant().encode(), part_of_it = part_variant(variant, "/box");
    page.variant = variant;
    page.life = {1700000000000, 60000, 1000, 2000, 3000};
    page.tags = {"news"};
    page.headers = {{"Content-Type", "text/html"}, {"ETag", "\"1\""}, {"Last-Modified", "x"}};
    page.steering = {{"Surrogate-Control", "max-age=60"}};
    page.body = "the page's body";
    std::string bytes = build_entry(part_of(page, part_of_it, "", page.body.substr(4, 4), false));
    const char* why = nullptr;
    auto entry = EntryView::parse(bytes, &why);
    assert_true(entry.has_value());
    assert_true(entry->kind() == EntryKind::part);
    assert_text_equal(entry->body(), "page");
    assert_int_equal(entry->head().life.while_ms, 1000);
    assert_int_equal(entry->head().life.keep_ms, 0);
    assert_text_equal(entry->header("Content-Type"), "text/html");
    assert_text_equal(entry->header("ETag"), "");
    assert_int_equal(entry->head().steering_size, 0);
    assert_true(EntryView::parse(build_entry(part_of(page, part_of_it, "", "x", true)), &why)->kind() == EntryKind::open_part);
}

TEST(the_offsets_that_scripts_read) {
    std::string bytes = sample_entry();
    std::int64_t created;
    std::uint64_t fence;
    std::memcpy(&created, bytes.data() + 24, sizeof created);
    std::memcpy(&fence, bytes.data() + 72, sizeof fence);
    assert_int_equal(created, 1700000000000);
    assert_int_equal(fence, 1700000000000001);
    assert_text_equal(bytes.substr(0, 4), "LRDE");
}

TEST_MAIN("cache entry")
