// Names of Larder's items in memcached. memcached has no scripts and no sets, so there is less than in Redis:
//
//   PREFIXe:KEY      an entry (entry.hpp), with an expiry always
//   PREFIXl:KEY      who fills the key at present, with an expiry always (one that comes to it late may end another's)
//   PREFIXpurges     the purge log: text lines "SEQUENCE TAGHASH s|h\n", appended; started anew by whoever finds it missing,
//                    or larger than max_purge_log_bytes, with the single line "SEQUENCE floor s\n"
// Sequences are microseconds of the purging machine's clock. Readers fetch the log at most once a second, so a purge takes
// at most that long to be seen by every nginx. Whoever starts the log anew writes the newest purge it knows as the floor: what
// was rendered without knowing that one counts as purged.
#pragma once

#include <cstddef>

namespace larder {

inline constexpr std::size_t max_purge_log_bytes = 512 * 1024;

}  // namespace larder
