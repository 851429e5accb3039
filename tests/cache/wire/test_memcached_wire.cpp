// memcached's protocol: every reply, however it is cut, and no length is trusted without a check.
#include "cache/wire/memcached_wire.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include "tests/cmocka.hpp"

using namespace larder;
using Kind = MemcachedReply::Kind;
using Next = MemcachedReader::Next;

namespace {

constexpr std::size_t max_value = 100'000;

struct Outcome {
    std::vector<std::pair<Kind, std::string>> replies;
    Next end = Next::need_more;

    bool operator==(const Outcome&) const = default;
};

// Feeds the pieces one by one. Each is in memory of its own, which is freed before the next one.
Outcome read(const std::vector<std::string_view>& pieces) {
    Outcome outcome;
    MemcachedReader reader(max_value);
    for (std::string_view piece : pieces) {
        reader.feed(std::string(piece));
        MemcachedReply reply;
        while ((outcome.end = reader.next(reply)) == Next::reply)
            outcome.replies.emplace_back(reply.kind, reply.text);
        if (outcome.end == Next::broken) break;
    }
    return outcome;
}

Outcome read(std::string_view bytes) {
    return read(std::vector{bytes});
}

std::string value_reply(std::string_view value) {
    return "VALUE some:key 0 " + std::to_string(value.size()) + "\r\n" + std::string(value) + "\r\nEND\r\n";
}

TEST(every_kind_of_reply) {
    struct {
        std::string_view line;
        Kind kind;
    } const table[] = {
        {"END", Kind::miss},
        {"NOT_FOUND", Kind::miss},
        {"STORED", Kind::done},
        {"DELETED", Kind::done},
        {"TOUCHED", Kind::done},
        {"OK", Kind::done},
        {"VERSION 1.6.18", Kind::done},
        {"NOT_STORED", Kind::refused},
        {"EXISTS", Kind::refused},
        {"ERROR", Kind::error},
        {"CLIENT_ERROR bad command line format", Kind::error},
        {"SERVER_ERROR out of memory storing object", Kind::error},
    };
    std::string all;
    for (const auto& row : table) {
        std::string bytes = std::string(row.line) + "\r\n";
        Outcome outcome = read(bytes);
        assert_int_equal(outcome.replies.size(), 1);
        assert_true(outcome.replies[0].first == row.kind && outcome.end == Next::need_more);
        if (row.kind == Kind::error) assert_text_equal(outcome.replies[0].second, row.line);
        all += bytes;
    }
    assert_int_equal(read(all).replies.size(), std::size(table));
}

TEST(a_value_is_bytes_and_nothing_else) {
    for (std::string_view value :
         {std::string_view(""), std::string_view("x"), std::string_view("\r\n"),
          std::string_view("\r\nEND\r\n"), std::string_view("END\r\n"),
          std::string_view("VALUE some:key 0 3\r\nabc\r\nEND\r\n"), std::string_view("SERVER_ERROR x\r\n"),
          std::string_view("\0\0\r\n\0", 5), std::string_view("\r")}) {
        Outcome outcome = read(value_reply(value) + "STORED\r\n");
        assert_int_equal(outcome.replies.size(), 2);
        assert_true(outcome.replies[0].first == Kind::value);
        assert_text_equal(outcome.replies[0].second, value);
        assert_true(outcome.replies[1].first == Kind::done);
    }
    std::string longest(max_value, 'v');
    assert_text_equal(read(value_reply(longest)).replies.at(0).second, longest);
    Outcome flags = read("VALUE k 4294967295 1\r\nx\r\nEND\r\n");
    assert_text_equal(flags.replies.at(0).second, "x");
}

TEST(a_cut_at_any_byte_changes_nothing) {
    std::string bytes = "END\r\n" + value_reply("a\r\nEND\r\nb") + "STORED\r\nSERVER_ERROR x\r\n" +
                        value_reply("") + "NOT_STORED\r\n";
    Outcome whole = read(bytes);
    assert_int_equal(whole.replies.size(), 6);
    std::string_view text = bytes;
    for (std::size_t first = 0; first <= bytes.size(); first++) {
        for (std::size_t second = first; second <= bytes.size(); second++) {
            Outcome cut =
                read({text.substr(0, first), text.substr(first, second - first), text.substr(second)});
            assert_true(cut == whole);
        }
    }
    std::vector<std::string_view> single;
    for (std::size_t i = 0; i < bytes.size(); i++) single.push_back(text.substr(i, 1));
    assert_true(read(single) == whole);
}

TEST(every_truncation_waits_for_more) {
    std::string bytes = value_reply("a value");
    for (std::size_t size = 0; size < bytes.size(); size++) {
        Outcome outcome = read(bytes.substr(0, size));
        assert_true(outcome.replies.empty() && outcome.end == Next::need_more);
    }
}

TEST(hostile_lengths_break_the_connection) {
    for (std::string_view size :
         {"100001", "4294967296", "18446744073709551615", "18446744073709551616",
          "99999999999999999999999999", "-1", "+1", "", " ", "x", "1x", "0x1", "1.0", "1 ", "1 2 3"}) {
        Outcome outcome = read("VALUE k 0 " + std::string(size) + "\r\n");
        assert_true(outcome.replies.empty() && outcome.end == Next::broken);
    }
    for (std::string_view line : {"VALUE \r\n", "VALUE 1\r\n", "VALUE k 1\r\n", "VALUE  0 1\r\n",
                                  "VALUE k x 1\r\n", "VALUE k -1 1\r\n"})
        assert_true(read(line).end == Next::broken);
}

TEST(a_length_that_lies_breaks_the_connection) {
    // One byte less and one more than there are.
    assert_true(read("VALUE k 0 2\r\nabc\r\nEND\r\nSTORED\r\n").end == Next::broken);
    assert_true(read("VALUE k 0 4\r\nabc\r\nEND\r\nSTORED\r\n").end == Next::broken);
    assert_true(read("VALUE k 0 3\r\nabc\r\nVALUE l 0 3\r\nabc\r\nEND\r\n").end == Next::broken);
    assert_true(read("VALUE k 0 3\r\nabc\r\nEND\rxSTORED\r\n").end == Next::broken);
}

TEST(garbage_breaks_the_connection) {
    for (std::string_view bytes :
         {"\r\n", "stored\r\n", "STORED \r\n", "ENDX\r\n", "HTTP/1.1 400 Bad Request\r\n", "+OK\r\n",
          "-ERR\r\n", "VERSION\r\n", "VALUES\r\n", "\n\r\n", "STORED\n\r\n"})
        assert_true(read(bytes).end == Next::broken);
    assert_true(read("STORED\n").end == Next::need_more);
}

TEST(a_line_without_end_breaks_the_connection_however_it_comes) {
    std::string good = "SERVER_ERROR " + std::string(2035, 'x'), bad = good + "x";
    assert_int_equal(read(good + "\r\n").replies.size(), 1);
    assert_true(read(bad + "\r\n").end == Next::broken);
    std::string endless(2049, 'x');
    assert_true(read(endless).end == Next::need_more);
    assert_true(read(endless + "x").end == Next::broken);
    for (const std::string& line : {good + "\r\n", bad + "\r\n"}) {
        std::vector<std::string_view> single;
        for (std::size_t i = 0; i < line.size(); i++) single.push_back(std::string_view(line).substr(i, 1));
        assert_true(read(single).end == read(line).end);
        assert_true(read(single).replies == read(line).replies);
    }
}

TEST(random_bytes_crash_nothing_and_cuts_do_not_matter) {
    std::mt19937 random(1);
    const std::vector<std::string> parts = {"VALUE ", "k",      " ",  "0",  "3",     "\r\n", "abc",
                                            "END",    "STORED", "\r", "\n", "ERROR", "-1",   "99"};
    for (int round = 0; round < 20'000; round++) {
        std::string bytes;
        for (unsigned n = static_cast<unsigned>(random()) % 12; n > 0; n--)
            bytes += parts[random() % parts.size()];
        std::size_t cut = random() % (bytes.size() + 1);
        std::string_view text = bytes;
        assert_true(read({text.substr(0, cut), text.substr(cut)}) == read(bytes));
    }
}

TEST(commands) {
    std::string out = "x";
    memcached_get(out, "key");
    assert_text_equal(out, "xget key\r\n");
    out.clear();
    memcached_store(out, "set", "key", 60, "a\r\nb", "cd");
    assert_text_equal(out, "set key 0 60 6\r\na\r\nbcd\r\n");
    out.clear();
    memcached_store(out, "add", "key", 0, "");
    assert_text_equal(out, "add key 0 0 0\r\n\r\n");
    out.clear();
    memcached_delete(out, "key");
    assert_text_equal(out, "delete key\r\n");
}

TEST(expiry) {
    constexpr std::int64_t now_ms = 1'700'000'000'999, month_s = 30 * 86400;
    struct {
        std::int64_t ttl_ms, expected;
    } const table[] = {
        {INT64_MIN, 1},
        {-5000, 1},
        {0, 1},
        {1, 1},
        {1000, 1},  // 0 would mean for ever
        {1001, 2},
        {60'000, 60},
        {month_s * 1000, month_s},
        {month_s * 1000 + 1, 1'700'000'000 + month_s + 1},  // from here on memcached takes it for Unix time
        {INT64_MAX, 1'700'000'000 + INT64_MAX / 1000 + 1},
    };
    for (const auto& row : table) assert_int_equal(memcached_expiry(row.ttl_ms, now_ms), row.expected);
}

}  // namespace

TEST_MAIN("cache memcached wire")
