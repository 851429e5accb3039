// Positions in PostgreSQL's write-ahead log, and their textual forms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace larder::replicas {

using Lsn = std::uint64_t;  // byte position in the log; 0: none

// Whether `text` can be the name of a server or database: 1 to 63 of A-Z a-z 0-9 _ -
bool is_name(std::string_view text);

// Parses "16/B374D848", PostgreSQL's own form: two hexadecimal numbers of 1 to 8 digits. Returns nothing for any other text.
std::optional<Lsn> parse_lsn(std::string_view text);

// A commit that a reader must see. A replica of the same cluster has it once it has replayed `lsn` on the same timeline.
struct Position {
    std::string_view node;     // the database's name or the alias of one of its servers; points into the text
    std::uint64_t system = 0;  // pg_control_system().system_identifier of the cluster; 0: not given
    std::uint32_t timeline = 0;
    Lsn lsn = 0;
};

// Parses "default/7412345678901234567/1/16B3748": a name, the system identifier (decimal, 64 bits, not 0), the timeline
// (decimal, 32 bits), the LSN as one hexadecimal number of 1 to 16 digits. The system identifier and its slash are
// optional. Returns nothing for any other text.
std::optional<Position> parse_position(std::string_view text);

// The inverse of parse_position(). A `system` of 0 is left out.
std::string position_text(std::string_view node, std::uint64_t system, std::uint32_t timeline, Lsn lsn);

// Whether both are well-formed positions with the same name.
bool same_database(std::string_view a, std::string_view b);
// The later of two positions of the same database. On the same timeline of the same cluster, that is the one with the
// higher LSN. Otherwise the cluster was replaced or promoted in between, and it is `newer`, the one that came last. A
// malformed position loses against a well-formed one.
std::string later_position(std::string_view older, std::string_view newer);

// The layout of a server's log, in bytes.
struct WalLayout {
    std::uint64_t page = 8192;           // wal_block_size
    std::uint64_t segment = 16u << 20u;  // wal_segment_size
};

// The end of the last record before an insert position. If that record ends at a page boundary, the insert position is
// after the header of the next page. Replay reaches that point only with a further record, so the replicas of an idle
// primary would seem to lag for ever. No record can end directly after a page header, so such an insert position always
// means the start of the page.
Lsn end_of_last_record(Lsn insert_position, const WalLayout& layout);

// "1/16B3748"
std::string timeline_and_lsn(std::uint32_t timeline, Lsn lsn);

}  // namespace larder::replicas
