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

// A commit that a reader must see: it is in a replica of that cluster that has replayed `lsn` of the same timeline.
struct Position {
    std::string_view node;     // the database's name or the alias of one of its servers; points into the text
    std::uint64_t system = 0;  // pg_control_system().system_identifier of the cluster; 0: not said
    std::uint32_t timeline = 0;
    Lsn lsn = 0;
};

// "default/7412345678901234567/1/16B3748": a name, the system identifier (decimal, 64 bits, not 0), the timeline
// (decimal, 32 bits), the LSN as one hexadecimal number (1 to 16 digits). The system identifier and its slash may be
// left out. Nothing for any other text.
std::optional<Position> parse_position(std::string_view text);

// Such a text; `system` 0 is left out.
std::string position_text(std::string_view node, std::uint64_t system, std::uint32_t timeline, Lsn lsn);

// Whether both are positions, and of the same name.
bool same_database(std::string_view a, std::string_view b);
// Which of two positions of the same database a reader must have seen to have seen both. On the same timeline of the same
// cluster that is the one with the higher LSN. Otherwise nothing compares them but the order in which they came: `newer`,
// as the cluster was replaced or promoted in between. A text that is no position loses to one that is.
std::string later_position(std::string_view older, std::string_view newer);

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
