// Writes a prerendered page so that readers see the old file or the new one, and never half of one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace larder::daemon {

// Writes ROOT/DIRECTORIES.../NAME: a temporary file beside it, fsync, rename. Makes directories below the root that are
// missing; follows no symbolic link below it. A file that holds these bytes already is left alone, so that its inode and time, and
// with them nginx's ETag and open_file_cache, stay as they are. Precondition: no name is empty, "." or "..", or holds '/'.
// Throws std::system_error.
void write_file(const std::string& root, const std::vector<std::string>& directories, const std::string& name,
                std::string_view bytes);

// Removes the file, if there is one. Otherwise as write_file, but makes no directories.
void remove_file(const std::string& root, const std::vector<std::string>& directories,
                 const std::string& name);

// The file's bytes and the time of its last change in ms; nothing when there is no such file. Otherwise as remove_file.
struct FileContent {
    std::string bytes;
    std::int64_t changed_ms = 0;
};
std::optional<FileContent> read_file(const std::string& root, const std::vector<std::string>& directories,
                                     const std::string& name);

// gzip (RFC 1952), level 6, without a time: the same bytes for the same input.
std::string gzip(std::string_view bytes);

}  // namespace larder::daemon
