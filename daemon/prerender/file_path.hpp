// Where the file of a page lies below its directory.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder::daemon {

inline constexpr char page_file[] = "index.html";
inline constexpr char page_file_gzip[] = "index.html.gz";

// The directories from the root of the prerendered files down to the page's own, in which index.html lies; percent-encoding
// is undone, as nginx's $uri has it. Nothing, and the reason in *why, for a path that names no file of its own:
// with a query, ".", "..", an empty segment, an encoded '/', control characters, a name longer than 200 bytes,
// or a segment with the name of the files themselves.
std::optional<std::vector<std::string>> file_directories(std::string_view path, std::string_view query,
                                                         const char** why);

}  // namespace larder::daemon
