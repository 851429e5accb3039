// Writes prerendered files atomically: a reader sees the old file or the new one, never a part.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder::daemon {

// Writes ROOT/DIRECTORIES.../NAME: writes a temporary file beside it, fsyncs it, renames it. Creates missing directories
// below the root; follows no symbolic links there. A file that already holds these bytes is not touched: it keeps its
// inode and modification time, and so nginx's ETag and open_file_cache stay valid. Precondition: no name is empty, ".",
// "..", or contains '/'. Throws std::system_error.
void write_file(const std::string& root, const std::vector<std::string>& directories, const std::string& name,
                std::string_view bytes);

// Removes the file if it exists. Preconditions and errors as for write_file.
void remove_file(const std::string& root, const std::vector<std::string>& directories,
                 const std::string& name);

struct FileContent {
    std::string bytes;
    std::int64_t changed_ms = 0;  // modification time, Unix time
};
// Reads the file; nothing if it doesn't exist or isn't a regular file. Preconditions and errors as for write_file.
std::optional<FileContent> read_file(const std::string& root, const std::vector<std::string>& directories,
                                     const std::string& name);

// Compresses into gzip format (RFC 1952), level 6. The header has no time stamp, so that equal input gives equal output.
std::string gzip(std::string_view bytes);

}  // namespace larder::daemon
