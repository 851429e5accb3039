// Names of Larder's items in memcached. memcached has neither scripts nor sets, so there are fewer than in Redis:
//
//   PREFIXe:KEY     an entry (entry.hpp), always with an expiry
//   PREFIXl:KEY     the lease for filling the key, always with an expiry; a late holder may delete another one's
//   PREFIXpurges    the purge log: text lines "SEQUENCE TAGHASH s|h\n", appended. Whoever finds it missing, or longer
//                   than max_purge_log_bytes, replaces it by the line "SEQUENCE floor s\n".
//
// Readers fetch the log at most once a second, so every nginx learns of a purge within that time. Whoever replaces
// the log writes a floor above all purges that it knows; entries rendered without knowledge of the floor count as
// purged.
//
// The SEQUENCE in a line is drawn by the purger: microseconds of its clock, or more than the newest purge it knows.
// Clocks differ and purgers don't wait for each other, so these numbers need not ascend. What counts is the order of
// the lines, which all readers see alike: a line's sequence is its number, or the previous line's sequence plus
// PurgeLine::step, whichever is greater. A reader that has not seen the log before, and knows a newer purge than the
// log's last line, appends a floor.
#pragma once

#include <cstddef>

namespace larder {

inline constexpr std::size_t max_purge_log_bytes = 512 * 1024;

}  // namespace larder
