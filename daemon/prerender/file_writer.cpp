// Enters each directory by openat(O_NOFOLLOW), so that a symbolic link that somebody has planted is not followed.
#include "file_writer.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace larder::daemon {

namespace {

constexpr std::string_view temporary_suffix = ".larder-tmp";
constexpr std::time_t leftover_age_s = 3600;

std::system_error failure(const std::string& what) {
    return {errno, std::generic_category(), what};
}

class Fd {
public:
    Fd(int fd, const std::string& what) : fd_(fd) {
        if (fd < 0) throw failure(what);
    }
    ~Fd() {
        if (fd_ >= 0) close(fd_);
    }
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    int get() const { return fd_; }

private:
    int fd_;
};

Fd enter(const Fd& parent, const std::string& name) {
    if (mkdirat(parent.get(), name.c_str(), 0755) != 0 && errno != EEXIST) throw failure(name);
    return Fd(openat(parent.get(), name.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), name);
}

void write_all(const Fd& file, std::string_view bytes, const std::string& name) {
    while (!bytes.empty()) {
        ssize_t written = write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw failure(name);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

// Reads a file. Nothing if there is no regular file with this name, or it can't be opened.
std::optional<FileContent> content_of(const Fd& directory, const std::string& name) {
    int fd = openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    Fd file(fd, name);
    struct stat status {};
    if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    FileContent content;
    content.changed_ms = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000;
    content.bytes.resize(static_cast<std::size_t>(status.st_size));
    std::size_t have = 0;
    while (have < content.bytes.size()) {
        ssize_t got = read(file.get(), content.bytes.data() + have, content.bytes.size() - have);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        have += static_cast<std::size_t>(got);
    }
    content.bytes.resize(have);
    return content;
}

// Opens a directory below the root; nothing if it doesn't exist.
std::optional<Fd> find(const std::string& root, const std::vector<std::string>& directories) {
    Fd directory(open(root.c_str(), O_DIRECTORY | O_CLOEXEC), root);
    for (const std::string& step : directories) {
        int fd = openat(directory.get(), step.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) return std::nullopt;
        directory = Fd(fd, step);
    }
    return directory;
}

// Removes temporary files that a larderd which died has left in the directory.
void sweep(const Fd& directory) {
    int fd = openat(directory.get(), ".", O_DIRECTORY | O_CLOEXEC);
    std::unique_ptr<DIR, int (*)(DIR*)> listing(fd < 0 ? nullptr : fdopendir(fd), closedir);
    if (!listing) return;
    while (const dirent* entry = readdir(listing.get())) {
        struct stat status {};
        bool ours = std::string_view(entry->d_name).ends_with(temporary_suffix);
        if (!ours || fstatat(directory.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (status.st_mtime < std::time(nullptr) - leftover_age_s)
            unlinkat(directory.get(), entry->d_name, 0);
    }
}

std::string temporary_name(const std::string& name) {
    static std::atomic<unsigned> count = 0;
    return "." + name + "." + std::to_string(getpid()) + "." + std::to_string(++count) +
           std::string(temporary_suffix);
}

}  // namespace

void write_file(const std::string& root, const std::vector<std::string>& directories, const std::string& name,
                std::string_view bytes) {
    Fd directory(open(root.c_str(), O_DIRECTORY | O_CLOEXEC), root);
    for (const std::string& step : directories) directory = enter(directory, step);
    sweep(directory);
    if (auto old = content_of(directory, name); old && old->bytes == bytes) return;
    std::string temporary = temporary_name(name);
    try {
        Fd file(openat(directory.get(), temporary.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644),
                temporary);
        write_all(file, bytes, temporary);
        if (fsync(file.get()) != 0) throw failure(temporary);
        if (renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0)
            throw failure(name);
    } catch (...) {
        unlinkat(directory.get(), temporary.c_str(), 0);
        throw;
    }
    fsync(directory.get());
}

void remove_file(const std::string& root, const std::vector<std::string>& directories,
                 const std::string& name) {
    auto directory = find(root, directories);
    if (directory && unlinkat(directory->get(), name.c_str(), 0) != 0 && errno != ENOENT) throw failure(name);
}

std::optional<FileContent> read_file(const std::string& root, const std::vector<std::string>& directories,
                                     const std::string& name) {
    auto directory = find(root, directories);
    return directory ? content_of(*directory, name) : std::nullopt;
}

std::string gzip(std::string_view bytes) {
    z_stream stream{};
    constexpr int window_bits_and_gzip = 15 + 16;
    if (deflateInit2(&stream, 6, Z_DEFLATED, window_bits_and_gzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::bad_alloc();
    gz_header header{};  // no time, no name
    header.os = 255;     // unknown
    deflateSetHeader(&stream, &header);
    std::string out(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    int result = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (result != Z_STREAM_END) throw std::runtime_error("zlib failed");
    return out;
}

}  // namespace larder::daemon
