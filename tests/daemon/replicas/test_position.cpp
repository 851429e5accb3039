// Parsing and comparing positions.
#include "cache/position.hpp"

#include "tests/cmocka.hpp"

using namespace larder::replicas;

TEST(lsn_texts_of_postgresql_are_read) {
    struct {
        const char* text;
        Lsn lsn;
    } rows[] = {
        {"0/0", 0},
        {"0/16B3748", 0x16B3748},
        {"16/B374D848", 0x16B374D848},
        {"FFFFFFFF/FFFFFFFF", UINT64_MAX},
        {"a/b", 0xa0000000bULL},
    };
    for (const auto& row : rows) {
        assert_true(parse_lsn(row.text).has_value());
        assert_int_equal(*parse_lsn(row.text), row.lsn);
    }
}

TEST(other_lsn_texts_are_refused) {
    for (const char* text :
         {"",      "/",    "0",           "0/",         "/0",   "0/0/0", "0/100000000", "100000000/0",
          "0x1/0", "-1/0", "+1/0",        " 1/0",       "1 /0", "1/0 ",  "1/0\n",       "g/0",
          "0/g",   "0//0", "123456789/1", "1/000000001"}) {
        assert_false(parse_lsn(text).has_value());
    }
    assert_false(parse_lsn(std::string_view("1/0\0", 4)).has_value());
    assert_false(parse_lsn(std::string(100000, '1') + "/0").has_value());
}

TEST(a_position_names_a_node_a_timeline_and_a_place) {
    auto position = parse_position("pg1/0/16B3748");
    assert_true(position.has_value());
    assert_text_equal(position->node, "pg1");
    assert_int_equal(position->timeline, 0);
    assert_int_equal(position->lsn, 0x16B3748);
    position = parse_position("my_db-2/4294967295/ffffffffffffffff");
    assert_true(position.has_value());
    assert_int_equal(position->timeline, UINT32_MAX);
    assert_int_equal(position->lsn, UINT64_MAX);
}

TEST(a_position_may_name_its_cluster) {
    auto position = parse_position("pg1/18446744073709551615/7/16B3748");
    assert_true(position.has_value());
    assert_true(position->system == UINT64_MAX);
    assert_int_equal(position->timeline, 7);
    assert_int_equal(position->lsn, 0x16B3748);
    assert_int_equal(parse_position("pg1/7/16B3748")->system, 0);
    assert_text_equal(position_text("pg1", UINT64_MAX, 7, 0x16B3748), "pg1/18446744073709551615/7/16B3748");
    assert_text_equal(position_text("pg1", 0, 7, 0x16B3748), "pg1/7/16B3748");
}

TEST(the_later_of_two_positions_is_the_further_in_one_log_and_else_the_one_that_came_later) {
    assert_text_equal(later_position("a/1/9", "a/1/A"), "a/1/A");
    assert_text_equal(later_position("a/1/A", "a/1/9"), "a/1/A");
    assert_text_equal(later_position("a/5/1/A", "a/5/1/9"), "a/5/1/A");
    assert_text_equal(later_position("a/9/1", "a/1/A"), "a/1/A");    // restored from a backup: back on timeline 1
    assert_text_equal(later_position("a/5/1/A", "a/6/1/9"), "a/6/1/9");
    assert_text_equal(later_position("a/1/A", "a/6/1/9"), "a/6/1/9");
    assert_text_equal(later_position("nonsense", "a/1/1"), "a/1/1");
    assert_text_equal(later_position("a/1/1", "nonsense"), "a/1/1");
}

TEST(other_positions_are_refused) {
    for (const char* text : {"",
                             "a",
                             "a/1",
                             "/1/1",
                             "a//1",
                             "a/1/",
                             "a/1/1/1/1",
                             "a/0/1/1",
                             "a/18446744073709551616/1/1",
                             "a/-1/1/1",
                             "a/1/1/",
                             "a//1/1",
                             "a/4294967296/1",
                             "a/-1/1",
                             "a/+1/1",
                             "a/1/-1",
                             "a/0x1/1",
                             "a/1/0x1",
                             "a/1/10000000000000000",
                             "a/00000000001/1",
                             "a b/1/1",
                             "a;fence=/1/1",
                             "a\xc3\xa4/1/1",
                             "a/1/1 ",
                             " a/1/1",
                             "a/1/1\r\nX: y"}) {
        assert_false(parse_position(text).has_value());
    }
    assert_true(parse_position(std::string(63, 'a') + "/1/1").has_value());
    assert_false(parse_position(std::string(64, 'a') + "/1/1").has_value());
    assert_false(parse_position(std::string_view("a/1/1\0", 6)).has_value());
}

TEST(a_place_is_written_as_it_is_read) {
    assert_text_equal(timeline_and_lsn(1, 0x16B3748), "1/16B3748");
    assert_text_equal(timeline_and_lsn(UINT32_MAX, UINT64_MAX), "4294967295/FFFFFFFFFFFFFFFF");
    assert_int_equal(parse_position("x/" + timeline_and_lsn(7, 0xabcdef))->lsn, 0xabcdef);
}

TEST(a_place_behind_a_page_header_means_the_start_of_the_page) {
    const WalLayout standard;
    const WalLayout large{8192, std::uint64_t{1} << 30u};
    struct {
        Lsn insert;
        Lsn end;
        WalLayout layout;
    } rows[] = {
        {0x3000028, 0x3000000, standard},  // first page of a segment
        {0x3002018, 0x3002000, standard},  // another page
        {0x3000018, 0x3000000, standard},  // impossible, as the header of a segment's first page is longer
        {0x3000030, 0x3000030, standard},
        {0x3002028, 0x3002028, standard},  // in the middle of a page: a record may end there
        {0x3000028, 0x3000028, large},     // no segment begins here
        {0x40000028, 0x40000000, large},
        {0, 0, standard},
    };
    for (const auto& row : rows) assert_int_equal(end_of_last_record(row.insert, row.layout), row.end);
}

TEST_MAIN("replicas position")
