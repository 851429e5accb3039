// Positions in PostgreSQL's write-ahead log, as texts from outside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace larder::replicas {

using Lsn = std::uint64_t;  // byte position in the log; 0: none

// What names servers and databases: 1 to 63 of A-Z a-z 0-9 _ -
bool is_name(std::string_view text);

// "16/B374D848", PostgreSQL's own text: two hexadecimal numbers of 1 to 8 digits. Nothing for any other text.
std::optional<Lsn> parse_lsn(std::string_view text);

// A commit that a reader must see: it is in a replica that has replayed `lsn` of the same timeline.
struct Position {
    std::string_view node;  // the database's name or the alias of one of its servers; points into the text
    std::uint32_t timeline = 0;
    Lsn lsn = 0;
};

// "default/1/16B3748": a name, the timeline (decimal, 32 bits), LSN as one hexadecimal number
// (1 to 16 digits). Nothing for any other text.
std::optional<Position> parse_position(std::string_view text);

// Whether both are positions, and of the same name.
bool same_database(std::string_view a, std::string_view b);
// Of two positions of the same database the one that is later: by timeline, then LSN. A text that is no position loses; of
// different databases, `a` wins.
std::string later_position(std::string_view a, std::string_view b);

// How a server lays out its log, in bytes.
struct WalLayout {
    std::uint64_t page = 8192;           // wal_block_size
    std::uint64_t segment = 16u << 20u;  // wal_segment_size
};

// The end of the last record before an insert position. When that record ends with its page, the insert
// position is behind the next page's header already, where replay gets only with a further record: an idle
// primary's replicas would look late for ever. No record ends right behind a header, so such a position
// always means the start of its page.
Lsn end_of_last_record(Lsn insert_position, const WalLayout& layout);

// "1/16B3748"
std::string timeline_and_lsn(std::uint32_t timeline, Lsn lsn);

}  // namespace larder::replicas
