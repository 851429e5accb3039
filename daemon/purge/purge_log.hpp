// The file that keeps purges over a crash. It consists of lines, each with a checksum:
//
//   CHECKSUM P ID ACCEPTED_MS s|h POSITION|- HASH,HASH,...     a purge was accepted (soft or hard)
//   CHECKSUM D ID STORE SEQUENCE                               the store has taken it, and assigned this sequence
//
// A purge's P line is on disk before the purge is acknowledged. Damaged lines are skipped, as a crash may leave the last
// one cut off.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/stores/store.hpp"

namespace larder::daemon {

struct PurgeOrder {
    std::vector<std::uint64_t> hashes;
    PurgeMode mode = PurgeMode::soft;
    std::string position;
};

// A purge that was accepted, and how far its delivery is.
struct AcceptedPurge {
    std::uint64_t id = 0;  // ascending in order of acceptance; 0: not recorded
    UnixMs accepted_ms = 0;
    PurgeOrder order;
    // By store name, the sequence that the store has assigned; no element: the store has not taken it yet.
    std::map<std::string, std::uint64_t> sequences;

    // Its approximate size in memory and on disk.
    std::size_t bytes() const { return sizeof *this + order.hashes.size() * 17 + order.position.size(); }
};

// Thread-safe. Without a directory it records nothing.
class PurgeLog {
public:
    // Creates the directory if it doesn't exist, locks it for this process, and reads the file. `directory` may be empty.
    // Throws std::runtime_error when the directory can't be used, for instance because another process has locked it.
    explicit PurgeLog(const std::string& directory);
    ~PurgeLog();
    PurgeLog(const PurgeLog&) = delete;
    PurgeLog& operator=(const PurgeLog&) = delete;

    bool is_on_disk() const { return !path_.empty(); }
    // Whether the file can be written. While it can't, purges may be in a store without being on disk.
    bool works() const;

    // The purges that the file held when it was opened, by id. Later calls return nothing.
    std::vector<AcceptedPurge> take();

    // Records an accepted purge. Returns true when the purge is on disk, or at once without a directory; false when the
    // file can't be written. Calls that come during an fsync share the next one.
    bool accepted(const AcceptedPurge& purge);
    // The same for purges that stores have already taken; also records their sequences.
    bool adopted(const std::vector<std::shared_ptr<AcceptedPurge>>& purges);
    // Records that the store has taken the purge. Doesn't wait for the disk: if a crash loses the line, the purge is
    // delivered twice.
    void delivered(std::uint64_t id, const std::string& store, std::uint64_t sequence);

    // Rewrites the file with these purges alone, if it has grown beyond `most` bytes or was abandoned after an error.
    void tidy(const std::deque<std::shared_ptr<AcceptedPurge>>& purges, std::size_t most);

private:
    class File {
    public:
        explicit File(int fd) : fd_(fd) {}
        ~File();
        File(const File&) = delete;
        File& operator=(const File&) = delete;
        int fd() const { return fd_; }
        bool write(std::string_view bytes) const;

    private:
        int fd_;
    };

    bool rewrite(const std::deque<std::shared_ptr<AcceptedPurge>>& purges);
    bool append(std::string_view line);
    bool flush(std::unique_lock<std::mutex>& lock);
    void give_up();
    void read(std::string_view text);

    const std::string path_;  // empty: no directory
    std::unique_ptr<File> directory_;
    std::vector<AcceptedPurge> found_;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable flushed_;
    std::shared_ptr<File> file_;  // null after an error, until tidy() has written a new one
    std::uint64_t written_ = 0;   // bytes appended, over all files
    std::uint64_t durable_ = 0;   // how many of these are on disk
    std::size_t size_ = 0;        // bytes in the current file
    bool flushing_ = false;
};

}  // namespace larder::daemon
