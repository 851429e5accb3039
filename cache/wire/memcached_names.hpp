// Names of Larder's items in memcached. memcached has no scripts and no sets, so there is less than in Redis:
//
//   PREFIXe:KEY      an entry (entry.hpp), with an expiry always
//   PREFIXl:KEY      who fills the key at present, with an expiry always (one that comes to it late may end another's)
//   PREFIXpurges     the purge log: text lines "SEQUENCE TAGHASH s|h\n", appended; started anew by whoever finds it missing,
//                    or larger than max_purge_log_bytes, with the single line "SEQUENCE floor s\n"
// Readers fetch the log at most once a second, so a purge takes at most that long to be seen by every nginx. Whoever starts the log
// anew writes a floor above all purges that it knows: what was rendered without knowing the floor counts as purged.
//
// The SEQUENCE in a line is what the purger drew: microseconds of its clock, or above the newest purge it knows. Clocks differ and
// purgers don't wait for each other, so the numbers need not ascend. The order of the lines is what counts, and all readers see
// the same: a line's sequence is its number or the previous line's sequence plus PurgeLine::step, whichever is
// more. A reader that knows a newer purge than the last line of a log that it has not seen before appends a floor.
#pragma once

#include <cstddef>

namespace larder {

inline constexpr std::size_t max_purge_log_bytes = 512 * 1024;

}  // namespace larder
