// Maps a page's URL to the path of its file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder::daemon {

inline constexpr char page_file[] = "index.html";
inline constexpr char page_file_gzip[] = "index.html.gz";

// Returns the names of the directories from the root of the prerendered files down to the one that holds the page's
// index.html. Percent-encoding is undone, as in nginx's $uri. Returns nothing, with the reason in *why, for a URL that
// can't have a file of its own: with a query, ".", "..", an empty segment, an encoded '/', a control character, a segment
// longer than 200 bytes, or a segment named like page_file or page_file_gzip.
std::optional<std::vector<std::string>> file_directories(std::string_view path, std::string_view query,
                                                         const char** why);

}  // namespace larder::daemon
